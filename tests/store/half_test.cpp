#include "store/half.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace incipit::store {
namespace {

/// The value of a binary16, by its definition.
double value_of(Half half) {
  const int exponent = (half.bits >> 10) & 31, mantissa = half.bits & 1023;
  const double sign = (half.bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(Half, EveryHalfComesBackAsItself) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    const double value = value_of(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(value_of(to_half(std::numeric_limits<float>::quiet_NaN()))));
    } else {
      EXPECT_EQ(to_half(static_cast<float>(value)).bits, bits);
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const double low = value_of({static_cast<std::uint16_t>(bits)}),
                 high = value_of({static_cast<std::uint16_t>(bits + 1)});
    const auto middle = static_cast<float>((low + high) / 2);  // exact in binary32
    EXPECT_EQ(to_half(middle).bits, bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(to_half(std::nextafter(middle, 0.0F)).bits, bits);
    EXPECT_EQ(to_half(std::nextafter(middle, 1e9F)).bits, bits + 1);
    EXPECT_EQ(to_half(-middle).bits, to_half(middle).bits | 0x8000U);
  }
}

TEST(Half, BeyondTheRangeIsInfinity) {
  EXPECT_EQ(to_half(65504.0F).bits, 0x7bff);
  EXPECT_EQ(to_half(65519.99F).bits, 0x7bff);
  EXPECT_EQ(to_half(65520.0F).bits, 0x7c00);
  EXPECT_EQ(to_half(-1e30F).bits, 0xfc00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::infinity()).bits, 0x7c00);
}

}  // namespace
}  // namespace incipit::store
