#include "device/host/functions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace incipit::device::host {
namespace {

TEST(ExpFast, IsAccurateOverItsRange) {
  for (int i = -870'000; i <= 880'000; ++i) {
    const float x = static_cast<float>(i) * 1e-4F;
    const double expected = std::exp(static_cast<double>(x));
    ASSERT_TRUE(std::abs(exp_fast(x) / expected - 1) <= 2e-7) << x;
    ASSERT_TRUE(x > 0 || std::abs(exp_fast(x) - expected) <= 2e-7) << x;
  }
}

TEST(ExpFast, IsBoundedBeyondItAndPassesNanOn) {
  EXPECT_LT(exp_fast(-1e30F), 2e-38F);
  EXPECT_LT(exp_fast(-std::numeric_limits<float>::infinity()), 2e-38F);
  EXPECT_TRUE(std::isinf(exp_fast(1e30F)));
  EXPECT_TRUE(std::isinf(exp_fast(std::numeric_limits<float>::infinity())));
  EXPECT_TRUE(std::isnan(exp_fast(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace incipit::device::host
