#include "store/types.hpp"

namespace incipit::store {

namespace {

Handle copy_of(hid_t type) {
  return {H5Tcopy(type), H5Tclose, Exit::defect, "HDF5 type"};
}

/// IEEE 754 binary16, which HDF5 1.10 does not predefine.
Handle half_type() {
  Handle type = copy_of(H5T_IEEE_F32LE);
  check_hdf5(H5Tset_fields(type.get(), 15, 10, 5, 0, 10), Exit::defect, "HDF5 float16 fields");
  check_hdf5(H5Tset_size(type.get(), 2), Exit::defect, "HDF5 float16 size");
  check_hdf5(H5Tset_ebias(type.get(), 15), Exit::defect, "HDF5 float16 exponent");
  return type;
}

}  // namespace

template <>
Handle type_of<float>() {
  return copy_of(H5T_IEEE_F32LE);
}
template <>
Handle type_of<double>() {
  return copy_of(H5T_IEEE_F64LE);
}
template <>
Handle type_of<std::int8_t>() {
  return copy_of(H5T_STD_I8LE);
}
template <>
Handle type_of<std::uint8_t>() {
  return copy_of(H5T_STD_U8LE);
}
template <>
Handle type_of<std::int32_t>() {
  return copy_of(H5T_STD_I32LE);
}
template <>
Handle type_of<std::int64_t>() {
  return copy_of(H5T_STD_I64LE);
}
template <>
Handle type_of<std::uint64_t>() {
  return copy_of(H5T_STD_U64LE);
}
template <>
Handle type_of<Half>() {
  return half_type();
}

Handle string_type(std::size_t bytes) {
  Handle type = copy_of(H5T_C_S1);
  check_hdf5(H5Tset_size(type.get(), bytes), Exit::defect, "HDF5 string size");
  check_hdf5(H5Tset_cset(type.get(), H5T_CSET_UTF8), Exit::defect, "HDF5 string character set");
  check_hdf5(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), Exit::defect, "HDF5 string padding");
  return type;
}

std::string type_name(hid_t type) {
  const std::string bits = std::to_string(8 * H5Tget_size(type));
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return "float" + bits;
    case H5T_INTEGER:
      return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + bits;
    case H5T_STRING:
      return H5Tis_variable_str(type) > 0 ? "variable-length string" : "string";
    default:
      return "a type of another class";
  }
}

}  // namespace incipit::store
