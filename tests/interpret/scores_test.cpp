#include "interpret/scores.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace incipit::interpret {
namespace {

// 20 firing probes of which 18 are found, 20 silent ones of which 3 are taken for firing.
constexpr Tally example{.true_yes = 18, .false_yes = 3, .true_no = 17, .false_no = 2};

TEST(Scores, AgreeWithHandCounts) {
  EXPECT_DOUBLE_EQ(f1(example), 36.0 / 41.0);
  EXPECT_DOUBLE_EQ(precision(example), 18.0 / 21.0);
  EXPECT_DOUBLE_EQ(recall(example), 0.9);
  EXPECT_DOUBLE_EQ(balanced_accuracy(example), (0.9 + 0.85) / 2);
}

TEST(Scores, WithoutTrialsAreNotANumber) {
  EXPECT_TRUE(std::isnan(f1({.true_yes = 0, .false_yes = 0, .true_no = 5, .false_no = 0})));
  EXPECT_TRUE(std::isnan(precision({.true_yes = 0, .false_yes = 0, .true_no = 5, .false_no = 5})));
  EXPECT_TRUE(std::isnan(recall({.true_yes = 0, .false_yes = 1, .true_no = 5, .false_no = 0})));
  EXPECT_TRUE(std::isnan(balanced_accuracy({.true_yes = 1, .false_yes = 0, .true_no = 0, .false_no = 0})));
  EXPECT_TRUE(std::isnan(f1_low({}, 3)));
  EXPECT_TRUE(std::isnan(precision_at_rate(0, 0, 0.1)));
}

TEST(Scores, NothingRightIsZero) {
  EXPECT_EQ(f1({.true_yes = 0, .false_yes = 4, .true_no = 0, .false_no = 4}), 0);
}

TEST(Scores, LowerBoundIsWilsonsForTheJaccardIndex) {
  // J = 18/23, 23 groups: (J + z²/2n − z·√(J(1−J)/n + z²/4n²)) / (1 + z²/n) with z = 1.644854, by hand.
  const double n = 23, j = 18.0 / 23.0, z = 1.6448536269514722;
  const double low =
      (j + z * z / (2 * n) - z * std::sqrt(j * (1 - j) / n + z * z / (4 * n * n))) / (1 + z * z / n);
  EXPECT_NEAR(low, 0.61578, 5e-6);
  EXPECT_DOUBLE_EQ(f1_low(example, 23), 2 * low / (1 + low));
}

TEST(Scores, LowerBoundFallsWithFewerGroupsAndStaysBelow) {
  double before = f1(example);
  for (const int64_t groups : {23, 12, 5, 2, 1}) {
    const double low = f1_low(example, groups);
    EXPECT_LT(low, before);
    EXPECT_GE(low, 0);
    before = low;
  }
  // All right on ten groups is no proof of perfection.
  EXPECT_NEAR(f1_low({.true_yes = 10, .false_yes = 0, .true_no = 10, .false_no = 0}, 10), 0.8808, 5e-4);
}

TEST(Scores, AlwaysYesScoresTwoThirdsOnBalancedProbes) {
  EXPECT_DOUBLE_EQ(f1_always_yes(25, 25), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(f1_always_yes(10, 30), 0.4);
}

TEST(Scores, CoinIsTheExactExpectation) {
  // One firing, one silent probe: heads on the firing one scores 1, or 2/3 if the other is heads as well.
  EXPECT_NEAR(f1_coin(1, 1), (1.0 + 2.0 / 3.0) / 4, 1e-12);
  EXPECT_NEAR(f1_coin(1, 0), 0.5, 1e-12);
  EXPECT_TRUE(std::isnan(f1_coin(0, 3)));
  // Near 1/2 for many, a little below since F1 is concave in the hits.
  EXPECT_NEAR(f1_coin(500, 500), 0.5, 1e-3);
}

TEST(Scores, PrecisionAtRateIsBayes) {
  EXPECT_DOUBLE_EQ(precision_at_rate(0.9, 0.1, 0.5), 0.9);
  EXPECT_NEAR(precision_at_rate(0.9, 0.1, 0.01), 0.009 / (0.009 + 0.099), 1e-15);
  EXPECT_DOUBLE_EQ(precision_at_rate(0.2, 0, 0.01), 1);
}

}  // namespace
}  // namespace incipit::interpret
