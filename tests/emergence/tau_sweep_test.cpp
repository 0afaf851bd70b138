#include "emergence/tau_sweep.hpp"

#include <gtest/gtest.h>

#include "nan.hpp"

namespace incipit::emergence {
namespace {

/// Two points, three subjects, thresholds 0.1 … 0.5 of which those from 0.2 to 0.4 are near.
TauSweep sweep() {
  TauSweep out;
  out.used = 0.3;
  out.subjects = {"steady", "falling", "lost"};
  out.tau = {0.1, 0.2, 0.3, 0.4, 0.5};
  out.decoy_rate = {0.5, 0.4, 0.3, 0.2, 0.1};
  out.matched = {9, 9, 9, 5, 8, 1, 5, 4, 1, 5, 2, 0, 1, 0, 0};
  out.latents = {9, 9, 8, 6, 1};
  out.curves = {{"time", {"0", "10"}, {}}};
  for (const double last : {1.0, 0.9, 0.7, 0.6, 0.0})
    for (const double share : {0.0, 0.0, 0.0, 0.8, last, 0.04})
      out.curves[0].probe_activation.push_back(share);
  for (const std::size_t gone : {4U, 3U})  // the third subject has nothing at the last two thresholds
    for (const std::size_t point : {0U, 1U}) out.curves[0].probe_activation[(gone * 2 + point) * 3 + 2] = nan;
  return out;
}

TEST(TauSweep, NamesWhatHangsOnIt) {
  const auto found = hanging_on_tau(sweep());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].subject, 1U);
  EXPECT_EQ(found[0].most, 8);
  EXPECT_EQ(found[0].fewest, 2);
  EXPECT_EQ(found[0].curve, "time");
  EXPECT_EQ(found[0].place, "last");
  EXPECT_EQ(found[0].high, 0.9);
  EXPECT_EQ(found[0].low, 0.6);
  EXPECT_EQ(found[1].subject, 2U);
  EXPECT_EQ(found[1].fewest, 0);
  EXPECT_TRUE(found[1].curve.empty());  // so little is no other story
}

TEST(TauSweep, NamesACurveThatLosesHalfOfItself) {
  TauSweep small = sweep();
  small.matched.assign(15, 3);
  for (std::size_t t = 0; t < 5; ++t)
    for (const std::size_t c : {0U, 1U, 2U}) {
      const double at_low[] = {0.12, 0.12, 0.04}, at_high[] = {0.05, 0.07, 0.0};
      for (const std::size_t point : {0U, 1U})
        small.curves[0].probe_activation[(t * 2 + point) * 3 + c] = t < 2 ? at_low[c] : at_high[c];
    }
  const auto found = hanging_on_tau(small);
  ASSERT_EQ(found.size(), 1U);  // the second keeps more than half, the third is too small to tell
  EXPECT_EQ(found[0].subject, 0U);
  EXPECT_EQ(found[0].high, 0.12);
}

TEST(TauSweep, SaysNothingWhereNothingMovesOrIsNear) {
  TauSweep still = sweep();
  still.curves[0].probe_activation.assign(30, 0.5);
  still.matched.assign(15, 3);
  EXPECT_TRUE(hanging_on_tau(still).empty());
  TauSweep far = sweep();
  far.used = 0.9;
  EXPECT_TRUE(hanging_on_tau(far).empty());
}

TEST(TauSweep, GoesByTheMatchesWhereACurveIsNotAtHand) {
  TauSweep without = sweep();
  without.curves = {{"time", {}, {}}};
  const auto found = hanging_on_tau(without);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].subject, 2U);
}

TEST(TauSweep, CountsWhatIsNotThereAsNotFiring) {
  const TauSweep one = sweep();
  EXPECT_EQ(one.at_point(one.curves[0], 4, 1, 2), 0);
  EXPECT_EQ(one.largest(one.curves[0], 0, 1), 1.0);
}

}  // namespace
}  // namespace incipit::emergence
