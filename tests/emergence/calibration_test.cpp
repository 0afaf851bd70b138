#include <gtest/gtest.h>

#include <cmath>

#include "data.hpp"
#include "emergence/measures.hpp"

/// Do the intervals cover, and are the p values of nothing uniform? Coarse, seeded.
namespace incipit::emergence {
namespace {

/// Groups of 4 probes that fire together more often than not: a group draws its own chance around `rate`.
sae::Codes clustered(const JudgeSet& judge, double rate, uint64_t stream) {
  Random random(5, Purpose::test, stream);
  sae::Codes out;
  out.n = judge.n();
  out.k = 1;
  out.latent.assign(judge.subject.size(), -1);
  out.activation.assign(judge.subject.size(), 0.0F);
  for (int64_t g = 0; g < judge.groups(); ++g) {
    const double own = random.uniform() < rate ? 0.9 : 0.1;
    for (int64_t at = judge.member_start[static_cast<size_t>(g)];
         at < judge.member_start[static_cast<size_t>(g) + 1]; ++at) {
      const auto i = static_cast<size_t>(judge.member[static_cast<size_t>(at)]);
      if (random.uniform() >= own) continue;
      out.latent[i] = 0;
      out.activation[i] = 1.0F;
    }
  }
  return out;
}

SiteMeasures measured(const JudgeSet& judge, const sae::Codes& codes, const Resampling& resampling) {
  const Matched matched = {{0}, {}, {}};
  const std::vector<double> scores(judge.subject.size() * 3, 0.0);
  return test::measured(codes, codes, scores, matched, 1, judge, resampling);
}

TEST(Calibration, IntervalsCoverTheTruth) {
  const JudgeSet judge = test::judge_set(3, 60, {4});
  const double rate = 0.4, truth = 0.9 * rate + 0.1 * (1 - rate);
  int covered = 0, covered_contrast = 0;
  const int trials = 300;
  for (int t = 0; t < trials; ++t) {
    const Resampling resampling = make_resampling(test::host(), judge, {400, 0}, static_cast<uint64_t>(t));
    const auto found = measured(judge, clustered(judge, rate, static_cast<uint64_t>(t)), resampling);
    const Estimate& share = found[Measure::probe_activation].subject[0];
    covered += share.low <= truth && truth <= share.high ? 1 : 0;
    const Estimate& contrast = found[Measure::contrast].subject[0];
    covered_contrast += contrast.low <= 0 && 0 <= contrast.high ? 1 : 0;
  }
  // 95 % of 300 is 285, its standard error 3.8.
  EXPECT_GE(covered, 272);
  EXPECT_LE(covered, 297);
  EXPECT_GE(covered_contrast, 272);
  EXPECT_LE(covered_contrast, 297);
}

TEST(Calibration, PValuesOfNothingAreUniform) {
  const JudgeSet judge = test::judge_set(3, 40, {4});
  std::vector<int> below(4, 0);
  const std::vector<double> levels = {0.05, 0.25, 0.5, 0.8};
  const int trials = 400;
  for (int t = 0; t < trials; ++t) {
    const Resampling resampling = make_resampling(test::host(), judge, {0, 199}, static_cast<uint64_t>(t));
    const auto found = measured(judge, clustered(judge, 0.4, static_cast<uint64_t>(1000 + t)), resampling);
    const double p = found[Measure::contrast].subject[0].p;
    for (size_t l = 0; l < levels.size(); ++l) below[l] += p <= levels[l] ? 1 : 0;
  }
  for (size_t l = 0; l < levels.size(); ++l) {
    const double expected = levels[l] * trials, spread = 3.5 * std::sqrt(expected * (1 - levels[l]));
    EXPECT_NEAR(below[l], expected, spread) << "p <= " << levels[l];
  }
}

TEST(Calibration, ARealConceptIsFound) {
  const JudgeSet judge = test::judge_set(3, 40, {4});
  const Resampling resampling = make_resampling(test::host(), judge, {200, 199}, 1);
  sae::Codes codes = clustered(judge, 0.1, 7);
  for (size_t i = 0; i < judge.subject.size(); ++i)
    if (judge.subject[i] == 0 && i % 2 == 0) {
      codes.latent[i] = 0;
      codes.activation[i] = 1.0F;
    }
  const auto found = measured(judge, codes, resampling);
  const Estimate& contrast = found[Measure::contrast].subject[0];
  EXPECT_EQ(contrast.p, 1.0 / 200);
  EXPECT_GT(contrast.low, contrast.null_high);
}

}  // namespace
}  // namespace incipit::emergence
