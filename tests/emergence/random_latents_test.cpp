#include "emergence/random_latents.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data.hpp"

namespace incipit::emergence {
namespace {

/// Latent j fires on a share of (j + 1) / 1000.
std::vector<double> ladder(size_t latents) {
  std::vector<double> rates;
  for (size_t j = 0; j < latents; ++j) rates.push_back(static_cast<double>(j + 1) / 1000);
  return rates;
}

TEST(RandomLatents, AreAsManyOthersThatFireAsOften) {
  const Matched matched{{50, 51, 52}, {}, {120}};
  const auto rates = ladder(200);
  const auto draws = random_latents(matched, rates, 50, 3);
  ASSERT_EQ(draws.size(), 50U);
  for (const Matched& draw : draws) {
    EXPECT_TRUE(draw[1].empty());
    for (const size_t c : {0U, 2U}) {
      ASSERT_EQ(draw[c].size(), matched[c].size());
      EXPECT_TRUE(std::is_sorted(draw[c].begin(), draw[c].end()));
      EXPECT_EQ(std::adjacent_find(draw[c].begin(), draw[c].end()), draw[c].end());
      for (const int32_t j : draw[c])
        EXPECT_EQ(std::find(matched[c].begin(), matched[c].end(), j), matched[c].end());
    }
    // The eight nearest, with three of M_c and two drawn before among them, reach seven latents far.
    EXPECT_NEAR(total_fire_rate(draw, rates)[0], total_fire_rate(matched, rates)[0], 0.0211);
    EXPECT_NEAR(total_fire_rate(draw, rates)[2], 0.121, 0.0041);
  }
  EXPECT_NEAR(mean_fire_rate(draws, rates)[0], 0.156, 0.004);
  EXPECT_TRUE(std::isnan(mean_fire_rate(draws, rates)[1]));
}

TEST(RandomLatents, DifferFromDrawToDrawAndComeAgainWithTheSeed) {
  const Matched matched{{50, 51, 52}};
  const auto first = random_latents(matched, ladder(200), 5, 3);
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(random_latents(matched, ladder(200), 5, 3), first);
  EXPECT_NE(random_latents(matched, ladder(200), 5, 4), first);
  const auto more = random_latents(matched, ladder(200), 9, 3);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), more.begin()));
}

TEST(RandomLatents, AreNoneWhereTooFewFire) {
  std::vector<double> rates(10, 0.0);
  rates[3] = rates[4] = rates[5] = 0.1;
  EXPECT_EQ(random_latents({{3}}, rates, 20, 1)[7][0].size(), 1U);
  for (const Matched& draw : random_latents({{3}}, rates, 20, 1))
    EXPECT_GT(rates[static_cast<size_t>(draw[0][0])], 0);
  for (const Matched& draw : random_latents({{3, 4}}, rates, 20, 1)) EXPECT_TRUE(draw[0].empty());
}

/// Latent 0 fires on 60 % of subject 0's probes and nowhere else, 24 others on 15 % of all.
sae::Codes planted(const JudgeSet& judge) {
  Random random(5, Purpose::test, 0);
  sae::Codes out;
  out.n = judge.n();
  out.k = 5;
  for (int64_t i = 0; i < out.n; ++i) {
    std::vector<int32_t> fired;
    if (judge.subject[static_cast<size_t>(i)] == 0 && random.uniform() < 0.6) fired.push_back(0);
    for (int32_t block = 0; block < 4; ++block)
      if (random.uniform() < 0.9) fired.push_back(1 + 6 * block + static_cast<int32_t>(random.below(6)));
    fired.resize(5, -1);
    for (const int32_t j : fired) {
      out.latent.push_back(j);
      out.activation.push_back(j < 0 ? 0.0F : 1.0F);
    }
  }
  return out;
}

TEST(RandomLatents, HaveNoContrastWhereOnlyTheMatchedOneKnowsTheSubject) {
  const JudgeSet judge = test::judge_set(4, 60, {5});
  const Resampling resampling = make_resampling(test::host(), judge, {10, 10}, 6);
  const sae::Codes codes = planted(judge);
  std::vector<double> rates(25, 0.0);
  for (const int32_t j : codes.latent)
    if (j >= 0) rates[static_cast<size_t>(j)] += 1.0 / static_cast<double>(judge.n());
  const Matched matched{{0}, {}, {}, {}};
  const auto on_device = test::on_device(test::host(), codes);
  const auto shares_of = [&](const Matched& sets) {
    return bare_shares(on_device, MatchedSets(test::host(), sets, 25), judge, resampling);
  };
  const auto own = shares_of(matched);
  EXPECT_GT(own.contrast[0], 0.5);
  EXPECT_TRUE(std::isnan(own.contrast[1]));
  const auto full = test::measured(codes, codes, std::vector<double>(static_cast<size_t>(4 * judge.n()), 0.0),
                                   matched, 25, judge, resampling);
  EXPECT_EQ(own.contrast[0], full[Measure::contrast].subject[0].value);
  EXPECT_EQ(own.probe_activation[0], full[Measure::probe_activation].subject[0].value);

  std::vector<BareShares> draws;
  for (const Matched& draw : random_latents(matched, rates, 200, 1)) draws.push_back(shares_of(draw));
  RandomLatents bands("time", 1, 4, {});
  bands.set(0, Rung::raw, draws);
  const auto contrast = bands.contrast(Rung::raw, 0, 0), fires = bands.probe_activation(Rung::raw, 0, 0);
  EXPECT_NEAR(contrast.mean, 0, 0.03);
  EXPECT_LT(contrast.low, 0.01);
  EXPECT_GT(contrast.high, -0.01);
  EXPECT_LT(contrast.high, 0.1);
  EXPECT_NEAR(fires.mean, 0.15, 0.03);  // as often as latent 0 fires over all
  EXPECT_TRUE(std::isnan(bands.contrast(Rung::raw, 0, 1).mean));
  EXPECT_TRUE(std::isnan(bands.contrast(Rung::aligned, 0, 0).mean));
}

}  // namespace
}  // namespace incipit::emergence
