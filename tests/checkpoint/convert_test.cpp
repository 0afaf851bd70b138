#include "checkpoint/convert.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

std::vector<float> convert(Dtype dtype, const std::string& bytes, std::size_t count) {
  std::vector<float> out(count, -1);
  convert_to_float(dtype, std::as_bytes(std::span(bytes.data(), bytes.size())), out);
  return out;
}

std::vector<uint16_t> all_halves() {
  std::vector<uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  return halves;
}

/// The value by its definition.
float value_of(uint16_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction == 0 ? static_cast<float>(sign * INFINITY) : std::numeric_limits<float>::quiet_NaN();
  }
  const double significand = std::ldexp(fraction, -fraction_bits) + (exponent > 0 ? 1 : 0);
  return static_cast<float>(sign * std::ldexp(significand, std::max(exponent, 1) - bias));
}

void expect_same(float got, float expected, uint16_t bits) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << bits;
  } else {
    EXPECT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected)) << bits;
  }
}

TEST(Convert, EveryHalf) {
  const std::vector<float> got = convert(Dtype::f16, bytes_of(all_halves()), 65536);
  for (const uint16_t bits : all_halves()) expect_same(got[bits], value_of(bits, 5, 10), bits);
}

TEST(Convert, EveryHalfOneByOne) {  // too short for the vector path, and not aligned
  for (const uint16_t bits : all_halves()) {
    const std::string bytes = "x" + bytes_of<uint16_t>({bits});
    float got = -1;
    convert_to_float(Dtype::f16, std::as_bytes(std::span(bytes.data() + 1, 2)), std::span(&got, 1));
    expect_same(got, value_of(bits, 5, 10), bits);
  }
}

TEST(Convert, EveryBrainFloat) {
  const std::vector<float> got = convert(Dtype::bf16, bytes_of(all_halves()), 65536);
  for (const uint16_t bits : all_halves()) expect_same(got[bits], value_of(bits, 8, 7), bits);
}

TEST(Convert, Singles) {
  const std::vector<float> values{0.0f, -0.0f, 1e-45f, 3.5f, -INFINITY};
  EXPECT_EQ(bytes_of(convert(Dtype::f32, bytes_of(values), values.size())), bytes_of(values));
}

TEST(Convert, DoublesRoundToNearest) {
  const std::vector<double> values{1.0 / 3, 1e300, -1e-300, 1 + 0x1p-24, 1 + 0x1.8p-24};
  const std::vector<float> got = convert(Dtype::f64, bytes_of(values), values.size());
  EXPECT_EQ(got, (std::vector<float>{1.0f / 3, INFINITY, -0.0f, 1.0f, 1 + 0x1p-23f}));
}

}  // namespace
}  // namespace incipit::checkpoint
