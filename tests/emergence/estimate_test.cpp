#include "emergence/estimate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace incipit::emergence {
namespace {

const std::vector<double> hundred = [] {
  std::vector<double> out;
  for (int i = 100; i >= 0; --i) out.push_back(i / 100.0);
  return out;
}();

TEST(Quantile, IsLinearBetweenOrderStatisticsAndLeavesNanOut) {
  EXPECT_NEAR(quantile(hundred, 0.025), 0.025, 1e-15);
  EXPECT_NEAR(quantile(std::vector<double>{nan, 1, 3}, 0.25), 1.5, 1e-15);
  EXPECT_TRUE(std::isnan(quantile(std::vector<double>{nan}, 0.5)));
  EXPECT_EQ(quantile(std::vector<double>{4}, 0.9), 4);
}

TEST(Mean, LeavesNanOut) {
  EXPECT_EQ(mean(std::vector<double>{1, nan, 4}), 2.5);
  EXPECT_TRUE(std::isnan(mean(std::vector<double>{nan, nan})));
  EXPECT_TRUE(std::isnan(mean({})));
}

TEST(Estimate, TakesIntervalAndNullFromDraws) {
  const Estimate found = estimate(0.9, hundred, hundred);
  EXPECT_NEAR(found.low, 0.025, 1e-12);
  EXPECT_NEAR(found.high, 0.975, 1e-12);
  EXPECT_NEAR(found.null_mean, 0.5, 1e-12);
  EXPECT_NEAR(found.null_high, 0.975, 1e-12);
  EXPECT_NEAR(found.p, (1.0 + 11) / (1.0 + 101), 1e-12);
}

TEST(Estimate, TiesCountAgainstUsEvenIfRoundingParts) {
  EXPECT_EQ(estimate(0.1 + 0.2, {}, std::vector<double>{0.3, 0.3}).p, 1.0);
}

TEST(Estimate, WithoutAValueOrDrawsIsNan) {
  const Estimate none = estimate(nan, hundred, hundred);
  EXPECT_TRUE(std::isnan(none.low) && std::isnan(none.p) && std::isnan(none.null_mean) &&
              std::isnan(none.value));
  const Estimate bare = estimate(0.5, {}, {});
  EXPECT_EQ(bare.value, 0.5);
  EXPECT_TRUE(std::isnan(bare.low) && std::isnan(bare.high) && std::isnan(bare.p) &&
              std::isnan(bare.null_high));
}

TEST(EstimateShare, UsesClopperAndPearsonWhereAllResamplesAgree) {
  const std::vector<double> zeros(20, 0.0), ones(20, 1.0), halves(20, 0.5);
  const Estimate none = estimate_share(0, zeros, {}, 10), all = estimate_share(1, ones, {}, 10);
  EXPECT_EQ(none.low, 0);
  // (1 − high)¹⁰ = 0.025
  EXPECT_NEAR(std::pow(1 - none.high, 10), 0.025, 1e-12);
  EXPECT_NEAR(none.high, 0.30850, 1e-5);
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, 1 - 0.30850, 1e-5);
  const Estimate half = estimate_share(0.5, halves, {}, 10);
  EXPECT_EQ(half.low, 0.5);
  EXPECT_EQ(half.high, 0.5);
}

}  // namespace
}  // namespace incipit::emergence
