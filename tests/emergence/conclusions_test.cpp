#include "emergence/conclusions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "random.hpp"

namespace incipit::emergence {
namespace {

constexpr std::int64_t drawn = 400, permuted = 200;
constexpr double usual_sway = 0.03;

/// What a made-up site shows of a subject: contrast on each rung, auc, probe_auc.
struct Shown {
  double raw = 0, rescaled = 0, aligned = 0, auc = 0.5, probe = 0.5;
};
constexpr Shown there{0.9, 0.9, 0.9, 0.95, 0.97}, absent{};

using Scene = std::function<Shown(std::int64_t point, std::int32_t subject)>;

Estimate around(double value) {
  return {value, value - 2 * usual_sway, value + 2 * usual_sway, 0, -2 * usual_sway, 2 * usual_sway, 0.5};
}

Curve made(const std::string& name, std::int64_t points, std::int32_t subjects, const Scene& scene,
           std::uint64_t stream = 0, double sway = usual_sway) {
  std::vector<Point> where;
  for (std::int64_t p = 0; p < points; ++p)
    where.push_back({"m", std::int64_t{1000} << p, 900, (std::int64_t{1} << p) - 1, p, 0.5});
  Curve curve(name, where, subjects, permuted, {});
  Random random(7, Purpose::test, stream);
  for (std::int64_t p = 0; p < points; ++p) {
    std::vector<double> probe_null(static_cast<std::size_t>(subjects * permuted), 0.5);
    Estimates probe{{}, probe_null};
    std::array<SiteMeasures, rungs> sites;
    sites.fill(no_measures(subjects, drawn, permuted, Status::ok));
    for (std::int32_t c = 0; c < subjects; ++c) {
      const Shown shown = scene(p, c);
      const std::array<double, rungs> contrast{shown.raw, shown.rescaled, shown.aligned};
      for (std::size_t r = 0; r < rungs; ++r) {
        auto& site = sites[r];
        const double value = contrast[r] + sway * random.normal();
        site.measure[1].subject[static_cast<std::size_t>(c)] = around(value);
        site.measure[5].subject[static_cast<std::size_t>(c)] = around(shown.auc);
        for (std::int64_t b = 0; b < drawn; ++b)
          site.contrast_draws[static_cast<std::size_t>(c * drawn + b)] = value + sway * random.normal();
        for (std::int64_t b = 0; b < permuted; ++b)
          site.measure[1].null[static_cast<std::size_t>(c * permuted + b)] = sway * random.normal();
      }
      probe.subject.push_back(around(shown.probe));
    }
    for (int r = 0; r < rungs; ++r) curve.set(p, static_cast<Rung>(r), sites[static_cast<std::size_t>(r)]);
    curve.set_probe_auc(p, probe);
    align::Alignment alignment;
    alignment.rank = 4;
    alignment.judgement.reliable = true;
    curve.set_alignment(p, alignment);
  }
  return curve;
}

TEST(Conclusions, OnsetInItsBracketAndNoneWhereNothingRises) {
  const Curve curve = made("time", 10, 3, [](std::int64_t p, std::int32_t c) {
    return (c == 0 && p >= 4) || (c == 1 && p >= 7) ? there : absent;
  });
  const Conclusions found = conclude(curve, 9);
  EXPECT_TRUE(found.subject[0].present);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_low, 7);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_high, 15);
  EXPECT_GT(found.subject[0].onset, 7);
  EXPECT_LT(found.subject[0].onset, 15);
  EXPECT_LE(found.subject[0].onset_early, found.subject[0].onset);
  EXPECT_GE(found.subject[0].onset_late, found.subject[0].onset);
  EXPECT_DOUBLE_EQ(found.subject[1].onset_high, 127);
  EXPECT_FALSE(found.subject[2].present);
  EXPECT_TRUE(std::isnan(found.subject[2].onset));
  EXPECT_EQ(found.subject[0].before.verdict, Verdict::lost);
  EXPECT_EQ(found.subject[2].before.verdict, Verdict::none);
  EXPECT_DOUBLE_EQ(found.subject[0].rank, 1);
  EXPECT_DOUBLE_EQ(found.subject[1].rank, 2);
  EXPECT_DOUBLE_EQ(found.earlier[0 * 3 + 1], 1);
  EXPECT_DOUBLE_EQ(found.earlier[1 * 3 + 0], 0);
  EXPECT_TRUE(std::isnan(found.earlier[0 * 3 + 2]));
  EXPECT_LT(found.order_p, 0.01);
}

TEST(Conclusions, RanksShareTheFitsOfRises) {
  const auto rises = [](std::int64_t p, std::int32_t c) {
    const double height = std::clamp(0.2 * static_cast<double>(p - c), 0.0, 0.9);
    return Shown{height, height, height};
  };
  const Conclusions alone = conclude(made("time", 10, 5, rises), 9);
  const auto fitted = std::ranges::count_if(alone.subject, [](auto& c) { return !std::isnan(c.middle); });
  ASSERT_GE(fitted, 3);
  for (const int parts : {1, 2, 3}) {
    Curve shared = made("time", 10, 5, rises);
    for (int part = 0, before = 0; part < parts; ++part) {
      EXPECT_EQ(find_middles(shared, part, parts), fitted);
      int found = 0;
      for (std::int32_t c = 0; c < 5; ++c) found += shared.middles(c).empty() ? 0 : 1;
      EXPECT_LE(found - before, (fitted + parts - 1) / parts);
      before = found;
    }
    const Conclusions together = conclude(shared, 9);
    for (std::size_t c = 0; c < 5; ++c) {
      const auto &one = alone.subject[c], &other = together.subject[c];
      EXPECT_EQ(shared.middles(static_cast<std::int32_t>(c)).empty(), std::isnan(one.middle));
      if (std::isnan(one.middle)) continue;
      EXPECT_EQ(one.middle_low, other.middle_low);
      EXPECT_EQ(one.middle_high, other.middle_high);
    }
  }
}

TEST(Conclusions, OnsetsAtOnePlaceHaveNoOrder) {
  int called = 0;
  for (std::uint64_t stream = 0; stream < 40; ++stream) {
    const Curve curve = made(
        "time", 8, 4,
        [](std::int64_t p, std::int32_t) {
          return p >= 4 ? there : p == 3 ? Shown{0.4, 0.4, 0.4} : absent;
        },
        stream);
    called += conclude(curve, 7).order_p < 0.05 ? 1 : 0;
  }
  EXPECT_LE(called, 5);
}

TEST(Conclusions, ThresholdsAreParameters) {
  const Curve curve =
      made("scale", 5, 1, [](std::int64_t p, std::int32_t) { return p >= 3 ? there : absent; });
  const Conclusions found = conclude(curve, 4);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_low, 4000);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_high, 8000);
}

/// Each kind of absence, planted in a dip, is called by its name.
TEST(Conclusions, EveryDipHasItsVerdict) {
  const std::array<std::pair<Shown, Verdict>, 7> kinds = {{
      {{0, 0.9, 0.9, 0.5, 0.97}, Verdict::rescaled},
      {{0, 0, 0.9, 0.5, 0.97}, Verdict::turned},
      {{0, 0, 0, 0.93, 0.97}, Verdict::outvoted},
      {{0, 0, 0, 0.5, 0.97}, Verdict::recoded},
      {{0, 0, 0, 0.5, 0.5}, Verdict::lost},
      {{0, 0, 0, 0.5, 0.85}, Verdict::undetermined},
      {{0, 0, 0, 0.5, 0.75}, Verdict::lost},
  }};
  const Curve curve = made("time", 9, 7, [&](std::int64_t p, std::int32_t c) {
    return p == 5 ? kinds[static_cast<std::size_t>(c)].first : there;
  });
  const Conclusions found = conclude(curve, 8);
  ASSERT_EQ(found.dips.size(), 7u);
  for (std::size_t c = 0; c < 7; ++c) {
    EXPECT_EQ(found.dips[c].subject, static_cast<std::int32_t>(c));
    EXPECT_EQ(found.dips[c].dip.at, 5);
    EXPECT_EQ(found.dips[c].judged.verdict, kinds[c].second) << c;
    EXPECT_NEAR(found.dips[c].judged.evidence.contrast_there, 0.9, 0.15);
  }
}

TEST(Conclusions, ASureButSmallFallIsNone) {
  const Curve curve = made(
      "time", 9, 1,
      [](std::int64_t p, std::int32_t) {
        return p == 5 ? Shown{0.82, 0.9, 0.9, 0.95, 0.97} : there;
      },
      0, 0.005);
  const Conclusions found = conclude(curve, 8);
  EXPECT_LT(found.subject[0].dip_q, 0.01);
  EXPECT_TRUE(found.dips.empty());
}

TEST(Conclusions, TheAnchorsOwnPointIsNoShoulder) {
  const auto falls = [](std::int64_t p, std::int32_t) { return p == 0 || p == 4 ? there : absent; };
  const Curve curve = made("space", 5, 1, falls);
  const Conclusions found = conclude(curve, 0);
  ASSERT_EQ(found.dips.size(), 1u);
  EXPECT_EQ(found.dips[0].dip.to, 4);
  const auto gone = [](std::int64_t p, std::int32_t) { return p == 0 ? there : absent; };
  EXPECT_TRUE(conclude(made("space", 5, 1, gone), 0).dips.empty());
}

TEST(Conclusions, PointsWithoutAValueAreLeftOut) {
  const Curve curve = made("time", 8, 1, [](std::int64_t p, std::int32_t) {
    return p == 3 ? Shown{nan, nan, nan, nan, nan} : p > 3 ? there : absent;
  });
  const Conclusions found = conclude(curve, 7);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_low, 3);
  EXPECT_DOUBLE_EQ(found.subject[0].onset_high, 15);
}

TEST(Conclusions, AreDrawnFromLinesWhereTheyAreWanted) {
  for (const char* line : {"time", "space", "scale", "own_time", "own_scale"}) {
    EXPECT_TRUE(Curve(line, {}, 1, 0, {}).concludes()) << line;
    EXPECT_FALSE(Curve(line, {}, 1, 0, {}, 0, false).concludes()) << line;
  }
  for (const char* grid : {"grid", "own_grid"}) EXPECT_FALSE(Curve(grid, {}, 1, 0, {}).concludes()) << grid;
}

}  // namespace
}  // namespace incipit::emergence
