#include "emergence/dips.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "random.hpp"

namespace incipit::emergence {
namespace {

using Values = std::vector<double>;

TEST(Dips, FindsTheDeepestFallBetweenShoulders) {
  const Dip dip = deepest_dip(Values{0.1, 0.9, 0.7, 0.2, 0.6, 0.8, 0.3}, FallRule::between_shoulders);
  EXPECT_EQ(dip.from, 1);
  EXPECT_EQ(dip.at, 3);
  EXPECT_EQ(dip.to, 5);
  EXPECT_DOUBLE_EQ(dip.depth, 0.6);
}

TEST(Dips, AFallWithoutReturnIsNone) {
  EXPECT_LE(deepest_dip(Values{1, 0.8, 0.5, 0.1}, FallRule::between_shoulders).depth, 0);
  EXPECT_LE(deepest_dip(Values{1, 0.8, 0.5, 0.1}, FallRule::return_alone).depth, 0);
  EXPECT_EQ(deepest_dip(Values{1, 2}, FallRule::between_shoulders).at, -1);
  EXPECT_EQ(deepest_dip(Values{1}, FallRule::return_alone).at, -1);
}

TEST(Dips, AReturnIsMeasuredFromTheBottom) {
  const Dip dip = deepest_dip(Values{1, 0.1, 0.0, 0.4, 0.2}, FallRule::return_alone);
  EXPECT_EQ(dip.at, 2);
  EXPECT_EQ(dip.to, 3);
  EXPECT_DOUBLE_EQ(dip.depth, 0.4);
}

/// A curve of layers as it is measured: the share of groups on which something fires, each group being itself
/// at all layers. `bounds`: each group's normal number is below it where it fires.
struct Measured {
  Values y, draws;
};
Measured measure(Random& random, const Values& bounds, int groups, int draws, double alike) {
  const std::size_t layers = bounds.size();
  std::vector<std::vector<double>> fires;
  for (int g = 0; g < groups; ++g) {
    const double own = random.normal();
    auto& row = fires.emplace_back();
    for (const double bound : bounds)
      row.push_back(std::sqrt(alike) * own + std::sqrt(1 - alike) * random.normal() < bound ? 1 : 0);
  }
  const auto mean = [&](const auto& pick) {
    Values y(layers, 0);
    for (int g = 0; g < groups; ++g) {
      const auto& row = fires[pick(g)];
      for (std::size_t l = 0; l < layers; ++l) y[l] += row[l] / groups;
    }
    return y;
  };
  Measured out{mean([](int g) { return static_cast<std::size_t>(g); }), {}};
  for (int b = 0; b < draws; ++b) {
    const Values resampled = mean([&](int) { return random.below(static_cast<std::uint64_t>(groups)); });
    out.draws.insert(out.draws.end(), resampled.begin(), resampled.end());
  }
  return out;
}

constexpr int layers = 13, groups = 30, dip_draws = 300, curves = 60;

TEST(Dips, FlatNoisyCurvesPass) {
  for (const double alike : {0.0, 0.5}) {
    Random random(11, Purpose::test, static_cast<std::uint64_t>(10 * alike));
    int called = 0;
    for (int curve = 0; curve < curves; ++curve) {
      const auto found = measure(random, Values(layers, 0.25), groups, dip_draws, alike);
      called += test_dip(found.y, found.draws, FallRule::between_shoulders).p < 0.05 ? 1 : 0;
    }
    EXPECT_LE(called, 5) << alike;
  }
}

/// The standard error is that of the fall, a difference of two layers of the same groups.
TEST(Dips, AFallOfThreeStandardErrorsIsFound) {
  constexpr double bound = 0.25, share = 0.598706;  // Φ(0.25)
  for (const double alike : {0.0, 0.5}) {
    Random random(12, Purpose::test, static_cast<std::uint64_t>(10 * alike));
    double apart = 0;  // share of groups that fire at one layer and not at the other
    constexpr int tries = 20000;
    for (int i = 0; i < tries; ++i) {
      const double own = std::sqrt(alike) * random.normal();
      const bool a = own + std::sqrt(1 - alike) * random.normal() < bound,
                 b = own + std::sqrt(1 - alike) * random.normal() < bound;
      apart += a != b ? 1.0 / tries : 0;
    }
    const double fall = 3 * std::sqrt(apart / groups);
    double bottom = bound;  // Φ(bottom) = share − fall
    while (0.5 * std::erfc(-bottom / std::sqrt(2.0)) > share - fall) bottom -= 0.001;
    Values bounds(layers, bound);
    bounds[5] = bounds[6] = bottom;
    int called = 0;
    for (int curve = 0; curve < curves; ++curve) {
      const auto found = measure(random, bounds, groups, dip_draws, alike);
      const Dip dip = test_dip(found.y, found.draws, FallRule::between_shoulders);
      called += dip.p < 0.05 && (dip.at == 5 || dip.at == 6) ? 1 : 0;
    }
    EXPECT_GE(called, 48) << alike;
  }
}

TEST(Dips, BothOfTwoAreFoundInTheirOrder) {
  Random random(13, Purpose::test, 0);
  Values bounds(layers, 1.5);
  bounds[3] = -3;
  bounds[9] = -1;
  const auto found = measure(random, bounds, 200, dip_draws, 0.5);
  const auto dips = find_dips(found.y, found.draws, FallRule::between_shoulders, 0.05);
  ASSERT_EQ(dips.size(), 2u);
  EXPECT_EQ(dips[0].at, 3);
  EXPECT_EQ(dips[1].at, 9);
  EXPECT_LT(dips[0].from, 3);
  EXPECT_GT(dips[0].to, 3);
  EXPECT_NEAR(dips[0].depth, 0.93, 0.06);
}

TEST(Dips, NoDrawsGiveNoP) {
  const Dip dip = test_dip(Values{1, 0, 1}, Values{}, FallRule::between_shoulders);
  EXPECT_EQ(dip.at, 1);
  EXPECT_TRUE(std::isnan(dip.p));
  EXPECT_TRUE(
      std::isnan(test_dip(Values{1, 0, 1}, Values{1, std::nan(""), 1}, FallRule::between_shoulders).p));
}

}  // namespace
}  // namespace incipit::emergence
