#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "store/schema.hpp"

namespace incipit::store {

/// binary32 to binary16, to the nearest, ties to even; beyond 65504 infinity, NaN stays NaN.
inline Half to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds beyond 65504
  if (magnitude < 0x38800000u) {
    // Below 2^-14: in the sum with 1/2 the last place is 2^-24, the smallest subnormal, so it rounds right.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

inline std::vector<Half> to_half(std::span<const float> values) {
  std::vector<Half> halves;
  halves.reserve(values.size());
  for (float v : values) halves.push_back(to_half(v));
  return halves;
}

}  // namespace incipit::store
