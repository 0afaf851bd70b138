#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

/// The numbers of the forward pass. Sixteen bits hold what matrix products read and what passes between
/// operations; every sum and every function is taken in fp32, and its result is rounded once.
namespace incipit::device {

/// IEEE binary16: 11 significant bits, up to 65504.
struct Float16 {
  std::uint16_t bits;
};
/// The upper half of binary32: 8 significant bits, fp32's range.
struct BFloat16 {
  std::uint16_t bits;
};

template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, Float16> || std::same_as<T, BFloat16>;

/// Bits of the significand: a result rounded once is off by at most 2^−significant_bits of itself.
template <Number T>
inline constexpr int significant_bits = std::same_as<T, float> ? 24 : (std::same_as<T, Float16> ? 11 : 8);

// Conversions without branches, so that loops over them become vector instructions. Exact to float; from it
// to the nearest, ties to even; NaN stays NaN.

constexpr float to_float(float x) {
  return x;
}
constexpr float to_float(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}
constexpr float to_float(Float16 x) {
  // Exponent and fraction in fp32's places are the number times 2^−112, subnormal numbers too; what had the
  // largest exponent, infinity and NaN, gets fp32's.
  const std::uint32_t sign = (x.bits & 0x8000U) << 16U;
  const std::uint32_t magnitude = (x.bits & 0x7fffU) << 13U;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112F;
  const std::uint32_t unbounded = magnitude >= 0x0f800000U ? 0x7f800000U : 0U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | unbounded | sign);
}

template <Number T>
constexpr T round_to(float x) = delete;

template <>
constexpr float round_to<float>(float x) {
  return x;
}
template <>
constexpr BFloat16 round_to<BFloat16>(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  const std::uint32_t rounded = bits + 0x7fffU + (bits >> 16U & 1U);
  return {static_cast<std::uint16_t>((nan ? bits | 0x400000U : rounded) >> 16U)};
}
template <>
constexpr Float16 round_to<Float16>(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  // Below 2^−14: in the sum with 1/2 the last place is 2^−24, the smallest subnormal, so it rounds right.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U;
  const std::uint32_t normal = (magnitude + 0xfffU + (magnitude >> 13U & 1U) - 0x38000000U) >> 13U;
  std::uint32_t half = magnitude < 0x38800000U ? small : normal;
  half = magnitude >= 0x477ff000U ? 0x7c00U : half;  // rounds beyond 65504
  half = magnitude > 0x7f800000U ? 0x7e00U : half;
  return {static_cast<std::uint16_t>((bits >> 16U & 0x8000U) | half)};
}

}  // namespace incipit::device
