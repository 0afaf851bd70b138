#include "emergence/anchor_sweep.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "error.hpp"

namespace incipit::emergence {
namespace {

/// A dictionary of two subjects: the first with a latent and, where it is called, an onset; the second
/// neither.
PlacedDictionary dictionary(std::int64_t home, std::optional<double> onset) {
  Conclusions found;
  found.subject.resize(2);
  found.subject[0].present = onset.has_value();
  found.subject[0].onset_high = onset.value_or(nan);
  found.subject[1].onset_high = nan;
  PlacedDictionary out;
  out.home = home;
  out.matched = {3, 0};
  out.concluded = packed(found);
  return out;
}

AnchorSweep anchor_sweep(std::vector<PlacedDictionary> of) {
  AnchorSweep sweep;
  sweep.curve = "time";
  sweep.subjects = {"a", "b"};
  sweep.of = std::move(of);
  return sweep;
}

TEST(AnchorSweep, ColumnsComeBackFromARow) {
  Conclusions found;
  found.subject.resize(2);
  found.subject[0].level.value = 0.25;
  found.subject[1].level.value = 0.75;
  found.subject[1].dip_q = 0.5;
  found.subject[1].present = true;
  PlacedDictionary one;
  one.concluded = packed(found);
  const AnchorSweep sweep = anchor_sweep({one});
  EXPECT_EQ(sweep.concluded(0, "level", 0), 0.25);
  EXPECT_EQ(sweep.concluded(0, "level", 1), 0.75);
  EXPECT_EQ(sweep.concluded(0, "dip_q", 1), 0.5);
  EXPECT_TRUE(std::isnan(sweep.concluded(0, "dip_q", 0)));
  EXPECT_FALSE(sweep.present(0, 0));
  EXPECT_TRUE(sweep.present(0, 1));
  EXPECT_THROW(static_cast<void>(sweep.concluded(0, "levels", 0)), Error);
}

TEST(AnchorSweep, AgreementCountsThoseThatCall) {
  const AnchorSweep sweep =
      anchor_sweep({dictionary(0, {}), dictionary(1, 16), dictionary(2, 4), dictionary(3, 8)});
  const Agreement a = agreement(sweep, 0), b = agreement(sweep, 1);
  EXPECT_EQ(a.matched, 4);
  EXPECT_EQ(a.present, 3);
  EXPECT_EQ(a.first, 4);
  EXPECT_EQ(a.middle, 8);
  EXPECT_EQ(a.last, 16);
  EXPECT_EQ(b.matched, 0);
  EXPECT_EQ(b.present, 0);
  EXPECT_TRUE(std::isnan(b.first) && std::isnan(b.middle) && std::isnan(b.last));
}

/// One that calls a subject without an onset counts among those that call, not among the onsets.
TEST(AnchorSweep, ACallWithoutAnOnsetHasNoPlace) {
  const Agreement a = agreement(anchor_sweep({dictionary(0, nan), dictionary(1, 16)}), 0);
  EXPECT_EQ(a.present, 2);
  EXPECT_EQ(a.first, 16);
  EXPECT_EQ(a.last, 16);
}

}  // namespace
}  // namespace incipit::emergence
