#pragma once

#include <hdf5.h>

#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>

#include "store/handle.hpp"
#include "store/schema.hpp"

namespace incipit::store {

// Memory and file types are one and the same (a conversion would make HDF5 write independently), and files
// are little-endian.
static_assert(std::endian::native == std::endian::little,
              "Incipit's files are written as they lie in memory");

/// HDF5's type of the elements of T, which must be one of those Writer and Reader name.
template <class T>
[[nodiscard]] Handle type_of();
template <>
Handle type_of<float>();
template <>
Handle type_of<double>();
template <>
Handle type_of<std::int8_t>();
template <>
Handle type_of<std::uint8_t>();
template <>
Handle type_of<std::int32_t>();
template <>
Handle type_of<std::int64_t>();
template <>
Handle type_of<std::uint64_t>();
template <>
Handle type_of<Half>();

/// Fixed-length UTF-8 of `bytes` bytes (≥ 1), padded with NUL.
[[nodiscard]] Handle string_type(std::size_t bytes);

/// "float32", "uint8", "string", …
[[nodiscard]] std::string type_name(hid_t type);

}  // namespace incipit::store
