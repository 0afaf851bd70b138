#include "device/number.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace incipit::device {
namespace {

/// The number that sign, exponent and fraction stand for, by the definition of IEEE 754.
template <class T>
double defined(std::uint16_t bits) {
  constexpr int fraction_bits = significant_bits<T> - 1;
  constexpr int exponent_bits = 15 - fraction_bits;
  constexpr int bias = (1 << (exponent_bits - 1)) - 1;
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const int exponent = (bits & 0x7fff) >> fraction_bits;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias - fraction_bits)
                       : sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

template <class T>
class NumberOf : public testing::Test {};
using Halves = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(NumberOf, Halves);

TYPED_TEST(NumberOf, IsWhatItsBitsAreDefinedAs) {
  for (int i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double expected = defined<TypeParam>(bits);
    const float x = to_float(TypeParam{bits});
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(x)) << i;
      EXPECT_TRUE(std::isnan(to_float(round_to<TypeParam>(x)))) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(x), expected) << i;
    ASSERT_EQ(std::signbit(x), (bits & 0x8000) != 0) << i;
    ASSERT_EQ(round_to<TypeParam>(x).bits, bits) << i;
  }
}

TYPED_TEST(NumberOf, RoundsToTheNearestAndTiesToEven) {
  for (int i = 0; i < 0x7fff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const auto next = static_cast<std::uint16_t>(i + 1);
    const float low = to_float(TypeParam{bits});
    const float high = to_float(TypeParam{next});
    if (!std::isfinite(high)) break;
    const auto middle = static_cast<float>((static_cast<double>(low) + static_cast<double>(high)) / 2);
    for (const float sign : {1.0F, -1.0F}) {
      const int place = sign < 0 ? 0x8000 : 0;
      ASSERT_EQ(round_to<TypeParam>(sign * std::nextafter(middle, 0.0F)).bits, place + bits) << i;
      ASSERT_EQ(round_to<TypeParam>(sign * middle).bits, place + (i % 2 == 0 ? bits : next)) << i;
      ASSERT_EQ(round_to<TypeParam>(sign * std::nextafter(middle, high)).bits, place + next) << i;
    }
  }
}

TYPED_TEST(NumberOf, IsInfiniteBeyondItsLargest) {
  constexpr int infinity = std::same_as<TypeParam, Float16> ? 0x7c00 : 0x7f80;
  const double largest = defined<TypeParam>(infinity - 1);
  const double place = largest - defined<TypeParam>(infinity - 2);
  const auto middle = static_cast<float>(largest + place / 2);
  EXPECT_EQ(round_to<TypeParam>(std::nextafter(middle, 0.0F)).bits, infinity - 1);
  EXPECT_EQ(round_to<TypeParam>(middle).bits, infinity);
  EXPECT_EQ(round_to<TypeParam>(-std::numeric_limits<float>::infinity()).bits, 0x8000 + infinity);
}

}  // namespace
}  // namespace incipit::device
