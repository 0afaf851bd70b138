#include "emergence/onset.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "emergence/false_discovery.hpp"
#include "random.hpp"

namespace incipit::emergence {
namespace {

using Values = std::vector<double>;

Values places(std::size_t count) {
  Values x(count);
  std::iota(x.begin(), x.end(), 0.0);
  return x;
}

TEST(Onset, IsTheFirstCrossingThatTheNextTwoKeep) {
  const Values y{0, 0.6, 0, 0.1, 0.7, 0.8, 0.9, 1.0};
  const Onset onset = find_onset(places(y.size()), y);
  EXPECT_DOUBLE_EQ(onset.level, 0.9);
  EXPECT_EQ(onset.point, 4);
  EXPECT_DOUBLE_EQ(onset.place, 3 + (0.45 - 0.1) / 0.6);
}

TEST(Onset, ThereFromTheFirst) {
  const Onset onset = find_onset(places(4), Values{1, 0.9, 1, 1});
  EXPECT_EQ(onset.point, 0);
  EXPECT_DOUBLE_EQ(onset.place, 0);
}

TEST(Onset, AtTheEndFewerHaveToKeepIt) {
  EXPECT_EQ(find_onset(places(5), Values{0, 0, 0, 0, 0.9}).point, 4);
}

TEST(Onset, NoneWithoutALevelOrAPoint) {
  EXPECT_EQ(find_onset(places(4), Values{0.5, 0, -0.1, 0}).point, -1);
  EXPECT_EQ(find_onset(Values{}, Values{}).point, -1);
  // The level is there, but the last point falls below half of it.
  EXPECT_EQ(find_onset(places(4), Values{0, 0.9, 0.9, 0}).point, -1);
}

TEST(Onset, TheLogisticCurveIsFoundAgain) {
  Random random(3, Purpose::test, 0);
  for (int round = 0; round < 20; ++round) {
    const double height = 0.5 + 0.5 * random.uniform(), middle = 6 + 2 * random.uniform(),
                 width = 0.7 + random.uniform();
    const Values x = places(20);
    Values y;
    for (const double place : x) y.push_back(height / (1 + std::exp(-(place - middle) / width)));
    const Logistic fit = fit_logistic(x, y, find_onset(x, y));
    EXPECT_NEAR(fit.height, height, 1e-4);
    EXPECT_NEAR(fit.middle, middle, 1e-3);
    EXPECT_NEAR(fit.width, width, 1e-3);
  }
}

TEST(Onset, AStepHasNoShape) {
  const Values y{0, 0, 0, 1, 1, 1};
  EXPECT_TRUE(std::isnan(fit_logistic(places(6), y, find_onset(places(6), y)).middle));
}

TEST(FalseDiscovery, RatesAsTheirDefinitionGives) {
  const auto q = false_discovery_rates(Values{0.01, 0.04, std::nan(""), 0.03, 0.5});
  EXPECT_DOUBLE_EQ(q[0], 0.04);
  EXPECT_DOUBLE_EQ(q[1], 0.04 * 4 / 3);
  EXPECT_TRUE(std::isnan(q[2]));
  EXPECT_DOUBLE_EQ(q[3], 0.04 * 4 / 3);
  EXPECT_DOUBLE_EQ(q[4], 0.5);
  EXPECT_TRUE(false_discovery_rates(Values{}).empty());
}

TEST(FalseDiscovery, HoldsTheRateAmongNulls) {
  Random random(4, Purpose::test, 0);
  int any = 0;
  for (int round = 0; round < 2000; ++round) {
    Values p(12);
    for (double& v : p) v = random.uniform();
    for (const double q : false_discovery_rates(p))
      if (q <= 0.05) {
        ++any;
        break;
      }
  }
  EXPECT_NEAR(any / 2000.0, 0.05, 0.015);
}

}  // namespace
}  // namespace incipit::emergence
