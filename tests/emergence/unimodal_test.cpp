#include "emergence/unimodal.hpp"

#include <gtest/gtest.h>

#include "random.hpp"

namespace incipit::emergence {
namespace {

using Values = std::vector<double>;

TEST(Unimodal, PoolsWhatFallsAgainstTheOrder) {
  EXPECT_EQ(non_decreasing(Values{1, 3, 2, 4}), (Values{1, 2.5, 2.5, 4}));
  EXPECT_EQ(non_decreasing(Values{3, 2, 1}), (Values{2, 2, 2}));
  EXPECT_EQ(non_increasing(Values{4, 2, 3, 1}), (Values{4, 2.5, 2.5, 1}));
  EXPECT_TRUE(non_decreasing(Values{}).empty());
}

TEST(Unimodal, LeavesWhatHasTheShape) {
  for (const Values& y : {Values{1, 2, 5, 3, 0}, Values{1, 2, 3}, Values{3, 2, 1}, Values{7}})
    EXPECT_EQ(unimodal(y), y);
}

TEST(Unimodal, FillsADip) {
  EXPECT_EQ(unimodal(Values{0, 1, 0.5, 1, 0}), (Values{0, 1, 0.75, 0.75, 0}));
}

/// No other curve of the shape is closer: tried by all peaks and random bends.
TEST(Unimodal, IsTheClosest) {
  Random random(5, Purpose::test, 1);
  for (int round = 0; round < 50; ++round) {
    Values y(7);
    for (double& v : y) v = random.normal();
    const auto distance = [&](const Values& fit) {
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += (fit[i] - y[i]) * (fit[i] - y[i]);
      return sum;
    };
    const Values fit = unimodal(y);
    const double best = distance(fit);
    for (int other = 0; other < 200; ++other) {
      Values bent = fit;
      for (double& v : bent) v += 0.1 * random.normal();
      const std::size_t peak = random.below(bent.size());
      for (std::size_t i = 1; i <= peak; ++i) bent[i] = std::max(bent[i], bent[i - 1]);
      for (std::size_t i = peak + 1; i < bent.size(); ++i) bent[i] = std::min(bent[i], bent[i - 1]);
      EXPECT_GE(distance(bent), best - 1e-12);
    }
  }
}

}  // namespace
}  // namespace incipit::emergence
