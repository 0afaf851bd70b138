#pragma once

#include "ceilings.hpp"
#include "device/number.hpp"

/// What depends on an element's type.
namespace incipit::device::bench {

template <class T>
inline constexpr const char* type_name = "fp32";
template <>
inline constexpr const char* type_name<Float16> = "fp16";
template <>
inline constexpr const char* type_name<BFloat16> = "bf16";
template <>
inline constexpr const char* type_name<double> = "fp64";

/// The rate that bounds products of this type: fp16 and bf16 have the same.
template <class T>
inline constexpr Bound arithmetic_of = Bound::bf16;
template <>
inline constexpr Bound arithmetic_of<float> = Bound::fp32;
template <>
inline constexpr Bound arithmetic_of<double> = Bound::fp64;

/// How far results may be from the naive ones, which sum in another order and round to the same type: few
/// elements of 16 bits fall on another side.
template <class T>
inline constexpr double rounding = 0.5 / (1 << significant_bits<T>);
template <>
inline constexpr double rounding<float> = 1e-5;

/// The same for attention, whose weights may be rounded to 16 bits as well.
template <class T>
inline constexpr double attention_rounding = 4 * rounding<T>;
template <>
inline constexpr double attention_rounding<float> = rounding<float>;

/// The same for products: the tensor cores that make those of 16 bits drop digits as they sum in fp32.
template <class T, class Result>
inline constexpr double product_rounding = rounding<Result>;
template <>
inline constexpr double product_rounding<BFloat16, float> = 3e-4;
template <>
inline constexpr double product_rounding<Float16, float> = 3e-4;
template <>
inline constexpr double product_rounding<double, double> = 1e-13;

}  // namespace incipit::device::bench
