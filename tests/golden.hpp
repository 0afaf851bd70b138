#pragma once

#include <hdf5.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "store/handle.hpp"

namespace incipit::test {

/// A file of golden values: what a reference of tests/reference gave, read with any conversion of numbers
/// that HDF5 knows. Errors name the file and what is missing.
class Golden {
 public:
  /// `name`: of a file in tests/golden.
  explicit Golden(const std::string& name)
      : path_(std::filesystem::path(INCIPIT_SOURCE_DIR) / "tests/golden" / name) {
    store::start_hdf5();
    file_ = {H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, Exit::io, path_.string()};
  }

  /// Names of the groups at the root.
  [[nodiscard]] std::vector<std::string> cases() const {
    std::vector<std::string> names;
    const auto keep = [](hid_t, const char* name, const H5L_info_t*, void* to) -> herr_t {
      static_cast<std::vector<std::string>*>(to)->emplace_back(name);
      return 0;
    };
    store::check_hdf5(H5Literate(file_.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, keep, &names), Exit::io,
                      path_.string());
    return names;
  }

  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& dataset) const {
    return shape_of(open(dataset));
  }

  /// All of a dataset, row-major.
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& dataset) const {
    const store::Handle set = open(dataset);
    const std::vector<std::int64_t> extents = shape_of(set);
    std::vector<T> values(
        std::accumulate(extents.begin(), extents.end(), std::size_t{1}, std::multiplies<>()));
    store::check_hdf5(H5Dread(set.get(), type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), Exit::io,
                      where(dataset));
    return values;
  }

  /// A number beside an object: an attribute.
  template <class T>
  [[nodiscard]] T attribute(const std::string& object, const std::string& name) const {
    const store::Handle at(
        H5Aopen_by_name(file_.get(), object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
        Exit::io, where(object + " " + name));
    T value{};
    store::check_hdf5(H5Aread(at.get(), type<T>(), &value), Exit::io, where(object + " " + name));
    return value;
  }

 private:
  template <class T>
  static hid_t type() {
    if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
    if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
    if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
    if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
  }

  [[nodiscard]] std::string where(const std::string& object) const { return path_.string() + ": " + object; }

  [[nodiscard]] store::Handle open(const std::string& dataset) const {
    return {H5Dopen2(file_.get(), dataset.c_str(), H5P_DEFAULT), H5Dclose, Exit::io, where(dataset)};
  }

  [[nodiscard]] static std::vector<std::int64_t> shape_of(const store::Handle& set) {
    const store::Handle space(H5Dget_space(set.get()), H5Sclose, Exit::io, "a dataset without a shape");
    std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space.get())));
    H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
    return {extents.begin(), extents.end()};
  }

  std::filesystem::path path_;
  store::Handle file_;
};

/// ‖actual − expected‖ / ‖expected‖; NaN where anything is, or where there is nothing to compare with.
template <class A, class B>
double relative_error(std::span<const A> actual, std::span<const B> expected) {
  if (actual.size() != expected.size() || actual.empty()) return std::nan("");
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto right = static_cast<double>(expected[i]);
    error += std::pow(static_cast<double>(actual[i]) - right, 2);
    norm += right * right;
  }
  return std::sqrt(error) / std::sqrt(norm);
}

template <class A, class B>
double relative_error(const std::vector<A>& actual, const std::vector<B>& expected) {
  return relative_error(std::span<const A>(actual), std::span<const B>(expected));
}

}  // namespace incipit::test
