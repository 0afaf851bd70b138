#pragma once

#include <cstddef>
#include <cstdint>

#include "device/number.hpp"

namespace incipit::device {

/// What numbers are held as in files and on devices.
enum class NumberType { f16, bf16, f32, f64 };

constexpr std::size_t bytes_of(NumberType type) {
  switch (type) {
    case NumberType::f16:
    case NumberType::bf16:
      return 2;
    case NumberType::f32:
      return 4;
    case NumberType::f64:
      return 8;
  }
  return 0;
}

template <class T>
inline constexpr NumberType number_type = NumberType::f32;
template <>
inline constexpr NumberType number_type<double> = NumberType::f64;
template <>
inline constexpr NumberType number_type<Float16> = NumberType::f16;
template <>
inline constexpr NumberType number_type<BFloat16> = NumberType::bf16;

/// Numbers on their way into a device's memory, converted there: to the nearest, ties to even; beyond the
/// largest infinity, NaN stays NaN.
struct NumberUpload {
  std::int64_t count = 0;
  NumberType from = NumberType::f32;
  const void* host = nullptr;       ///< [count] of `from`, little-endian, at any address
  NumberType to = NumberType::f32;  ///< not f64
  void* device = nullptr;           ///< [count] of `to`
};

}  // namespace incipit::device
