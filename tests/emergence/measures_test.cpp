#include "emergence/measures.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "../device/every_device.hpp"
#include "data.hpp"
#include "emergence/auc.hpp"
#include "emergence/latent_activation.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

/// Scores with ties: tenths.
std::vector<double> tied_scores(const JudgeSet& judge, uint64_t stream) {
  Random random(4, Purpose::test, stream);
  std::vector<double> out;
  for (int64_t i = 0; i < judge.n(); ++i)
    for (int32_t c = 0; c < judge.subjects; ++c)
      out.push_back(
          std::floor(10 * (random.uniform() + (judge.subject[static_cast<size_t>(i)] == c ? 0.3 : 0.0))) /
          10);
  return out;
}

struct Case {
  int32_t subjects;
  int64_t groups;
  std::vector<int64_t> sizes;
  int64_t k;
  int32_t h;
};

class Measures : public ::testing::TestWithParam<std::tuple<device::Candidate, Case>> {
 protected:
  std::unique_ptr<device::Device> device_ = std::get<0>(GetParam()).make();
};

void expect_equal(double found, double expected, const char* what) {
  if (std::isnan(expected))
    EXPECT_TRUE(std::isnan(found)) << what << " is " << found;
  else
    EXPECT_NEAR(found, expected, 1e-9) << what;
}

/// All draws of one measure by plain loops, and what they say.
struct PlainDraws {
  std::vector<test::Plain> bootstrap, permutation;
};

TEST_P(Measures, EqualThePlainLoopsInValueIntervalAndNull) {
  const Case& given = std::get<1>(GetParam());
  const JudgeSet judge = test::judge_set(given.subjects, given.groups, given.sizes);
  const Resampling resampling = make_resampling(*device_, judge, {23, 19}, 6);
  const sae::Codes codes = test::codes(judge, given.k, given.h, 0.4, 1),
                   home = test::codes(judge, given.k, given.h, 0.8, 2);
  const auto scores = tied_scores(judge, 3);
  Matched matched(static_cast<size_t>(given.subjects));
  for (int32_t c = 0; c < given.subjects; ++c)
    for (int32_t j = c; j < given.h; j += given.subjects) matched[static_cast<size_t>(c)].push_back(j);
  if ((given.h - 1) % given.subjects != 0) matched[0].push_back(given.h - 1);  // in two sets
  const SiteMeasures found = test::measured(codes, home, scores, matched, given.h, judge, resampling);

  for (int32_t c = 0; c < given.subjects; ++c) {
    const auto all = [&](const test::Draw& draw, const test::Draw& anchor) {
      test::Plain plain = test::measure(codes, scores, matched, judge, draw, c);
      const double at_home = test::measure(home, scores, matched, judge, anchor, c).strength;
      plain.strength = at_home > 0 ? plain.strength / at_home : nan;
      return plain;
    };
    const test::Draw observed = test::observed(judge);
    const test::Plain value = all(observed, observed);
    PlainDraws draws;
    for (int64_t b = 0; b < resampling.bootstrap; ++b) {
      const auto draw = test::bootstrap_draw(judge, resampling, b);
      draws.bootstrap.push_back(all(draw, draw));
    }
    for (int64_t p = 0; p < resampling.permutations; ++p)
      draws.permutation.push_back(all(test::permutation_draw(judge, resampling, p), observed));
    const std::array<double test::Plain::*, measures> fields = {
        &test::Plain::probe_activation, &test::Plain::contrast, &test::Plain::latent_activation,
        &test::Plain::selectivity,      &test::Plain::strength, &test::Plain::auc};
    for (size_t m = 0; m < fields.size(); ++m) {
      const char* name = measure_names[m].data();
      std::vector<double> boot, null;
      for (const auto& d : draws.bootstrap) boot.push_back(d.*fields[m]);
      for (const auto& d : draws.permutation) null.push_back(d.*fields[m]);
      const Estimate expected = m == 0 ? estimate_share(value.*fields[m], boot, null, given.groups)
                                       : estimate(value.*fields[m], boot, null);
      const Estimate& is = found.measure[m].subject[static_cast<size_t>(c)];
      expect_equal(is.value, expected.value, name);
      expect_equal(is.low, expected.low, name);
      expect_equal(is.high, expected.high, name);
      expect_equal(is.null_mean, expected.null_mean, name);
      expect_equal(is.null_low, expected.null_low, name);
      expect_equal(is.null_high, expected.null_high, name);
      expect_equal(is.p, expected.p, name);
      for (size_t p = 0; p < null.size(); ++p)
        expect_equal(found.measure[m].null[static_cast<size_t>(c) * null.size() + p],
                     std::isnan(is.value) ? nan : null[p], name);
    }
    EXPECT_EQ(found.status[static_cast<size_t>(c)], Status::ok);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Measures,
                         ::testing::Combine(::testing::ValuesIn(device::every_device()),
                                            ::testing::Values(Case{2, 2, {1}, 1, 2}, Case{3, 9, {1}, 1, 7},
                                                              Case{3, 7, {2, 5, 1}, 3, 20},
                                                              Case{5, 6, {4}, 8, 11})),
                         [](const auto& parameter) {
                           const Case& given = std::get<1>(parameter.param);
                           return std::get<0>(parameter.param).name + "_h" + std::to_string(given.h);
                         });

TEST(MeasureCodes, OfMixedGroupsCountProbesBySubjectAndGroupsByTheFirst) {
  const std::vector<int32_t> subject = {0, 1, 0, 0, 1, 1, 1, 0}, group = {0, 0, 1, 1, 2, 2, 3, 3},
                             group_subject = {0, 0, 1, 1};
  const JudgeSet judge = make_judge_set(2, subject, group, group_subject);
  const Resampling resampling = make_resampling(test::host(), judge, {31, 17}, 2);
  const sae::Codes codes = test::codes(judge, 2, 4, 0.5, 8);
  const auto scores = tied_scores(judge, 9);
  const Matched matched = {{0, 2}, {1}};
  const auto found = test::measured(codes, codes, scores, matched, 4, judge, resampling);
  for (int32_t c = 0; c < 2; ++c) {
    std::vector<double> boot, null;
    for (int64_t b = 0; b < 31; ++b)
      boot.push_back(
          test::measure(codes, scores, matched, judge, test::bootstrap_draw(judge, resampling, b), c)
              .contrast);
    for (int64_t p = 0; p < 17; ++p)
      null.push_back(
          test::measure(codes, scores, matched, judge, test::permutation_draw(judge, resampling, p), c)
              .contrast);
    const double value = test::measure(codes, scores, matched, judge, test::observed(judge), c).contrast;
    const Estimate expected = estimate(value, boot, null),
                   &is = found[Measure::contrast].subject[static_cast<size_t>(c)];
    expect_equal(is.value, expected.value, "contrast");
    expect_equal(is.low, expected.low, "low");
    expect_equal(is.null_high, expected.null_high, "null_high");
    expect_equal(is.p, expected.p, "p");
  }
}

TEST(MeasureCodes, SaysWhyThereIsNothing) {
  const JudgeSet judge = test::judge_set(3, 4, {2});
  const Resampling resampling = make_resampling(test::host(), judge, {10, 10}, 1);
  sae::Codes codes = test::codes(judge, 1, 3, 1.0, 5);
  const Matched matched = {{0}, {}, {7}};  // 7 never fires
  auto scores = std::vector<double>(judge.subject.size() * 3, 0.25);
  for (size_t i = 1; i < scores.size(); i += 3) scores[i] = nan;
  const auto found = test::measured(codes, codes, scores, matched, 8, judge, resampling);
  EXPECT_EQ(found.status, (std::vector<Status>{Status::ok, Status::no_latent, Status::silent}));
  for (const Estimates& estimates : found.measure) {
    const Estimate& none = estimates.subject[1];
    EXPECT_TRUE(std::isnan(none.value) && std::isnan(none.low) && std::isnan(none.null_mean) &&
                std::isnan(none.p));
    for (size_t p = 0; p < 10; ++p) EXPECT_TRUE(std::isnan(estimates.null[10 + p]));
  }
  const auto silent = [&](Measure m) { return found[m].subject[2].value; };
  EXPECT_EQ(silent(Measure::probe_activation), 0);
  EXPECT_EQ(silent(Measure::contrast), 0);
  EXPECT_EQ(silent(Measure::latent_activation), 0);
  EXPECT_TRUE(std::isnan(silent(Measure::selectivity)));
  EXPECT_TRUE(std::isnan(silent(Measure::strength)));  // 0 of 0 at the anchor
  EXPECT_EQ(silent(Measure::auc), 0.5);
  EXPECT_GT(found[Measure::probe_activation].subject[2].high, 0.1);
  EXPECT_EQ(found[Measure::probe_activation].subject[0].value, 1);
  EXPECT_LT(found[Measure::probe_activation].subject[0].low, 1);
}

TEST(MeasureCodes, OfNothingMatchedIsNothing) {
  const JudgeSet judge = test::judge_set(2, 4, {1});
  const sae::Codes codes = test::codes(judge, 1, 3, 1.0, 5);
  for (const auto& candidate : device::every_device()) {
    const auto device = candidate.make();
    const Resampling resampling = make_resampling(*device, judge, {5, 5}, 1);
    const auto found = test::measured(codes, codes, {}, {{}, {}}, 3, judge, resampling);
    EXPECT_EQ(found.status, (std::vector<Status>{Status::no_latent, Status::no_latent})) << candidate.name;
    for (const Estimates& estimates : found.measure)
      for (const Estimate& estimate : estimates.subject) EXPECT_TRUE(std::isnan(estimate.value));
  }
}

TEST(MeasureCodes, OfOneSubjectHasNoContrast) {
  const JudgeSet judge = test::judge_set(1, 4, {1});
  const Resampling resampling = make_resampling(test::host(), judge, {5, 5}, 1);
  const sae::Codes codes = test::codes(judge, 1, 1, 1.0, 5);
  const std::vector<double> scores(4, 1.0);
  const Matched matched = {{0}};
  const auto found = test::measured(codes, codes, scores, matched, 1, judge, resampling);
  EXPECT_EQ(found[Measure::probe_activation].subject[0].value, 1);
  EXPECT_TRUE(std::isnan(found[Measure::contrast].subject[0].value));
  EXPECT_TRUE(std::isnan(found[Measure::auc].subject[0].value));
  EXPECT_EQ(found[Measure::strength].subject[0].value, 1);
}

TEST(MeasureCodes, RefusesWhatDoesNotFit) {
  const JudgeSet judge = test::judge_set(2, 3, {1}), other = test::judge_set(2, 4, {1});
  const Resampling resampling = make_resampling(test::host(), judge, {1, 1}, 1);
  const std::vector<double> scores(16, 0.0);
  const Matched matched = {{0}, {1}};
  const auto code_of = [&](const sae::Codes& codes, const Matched& sets, const JudgeSet& judged) {
    return [&] { (void)test::measured(codes, codes, scores, sets, 2, judged, resampling); };
  };
  const sae::Codes codes = test::codes(judge, 1, 2, 1.0, 5), longer = test::codes(other, 1, 2, 1.0, 5);
  EXPECT_NO_THROW(code_of(codes, matched, judge)());
  EXPECT_THROW(code_of(longer, matched, judge)(), Error);
  EXPECT_THROW(code_of(longer, matched, other)(), Error);
  EXPECT_THROW(code_of(codes, {{0}}, judge)(), Error);
  EXPECT_THROW(code_of(codes, {{0}, {2}}, judge)(), Error);  // of latents 0 and 1
  EXPECT_THROW((void)measure_auc(std::vector<double>(3), judge, resampling), Error);
}

TEST(MeasureAuc, OfAColumnWithNaNIsNaN) {
  const JudgeSet judge = test::judge_set(2, 3, {1});
  const Resampling resampling = make_resampling(test::host(), judge, {4, 4}, 1);
  std::vector<double> scores(12);
  for (size_t i = 0; i < 12; ++i) scores[i] = static_cast<double>(i);
  scores[4] = nan;  // column 0
  const Estimates found = measure_auc(scores, judge, resampling);
  EXPECT_TRUE(std::isnan(found.subject[0].value) && std::isnan(found.subject[0].p));
  EXPECT_EQ(found.subject[1].value, 1);
}

TEST(MeasureCodes, GiveTheSameBytesForAnyNumberOfThreads) {
  const JudgeSet judge = test::judge_set(5, 20, {1, 3});
  const sae::Codes codes = test::codes(judge, 4, 30, 0.5, 5);
  const auto scores = tied_scores(judge, 6);
  Matched matched(5);
  for (int32_t j = 0; j < 30; ++j) matched[static_cast<size_t>(j % 5)].push_back(j);
  const auto run = [&](int threads) {
    omp_set_num_threads(threads);
    const auto device = device::make_host_device(threads);
    const Resampling resampling = make_resampling(*device, judge, {60, 50}, 1);
    const auto found = test::measured(codes, codes, scores, matched, 30, judge, resampling);
    std::vector<double> all;
    for (const Estimates& estimates : found.measure) {
      all.insert(all.end(), estimates.null.begin(), estimates.null.end());
      for (const Estimate& e : estimates.subject)
        all.insert(all.end(), {e.value, e.low, e.high, e.null_mean, e.p});
    }
    return all;
  };
  const int before = omp_get_max_threads();
  const auto one = run(1), three = run(3);
  omp_set_num_threads(before);
  EXPECT_EQ(one, three);
}

/// More probes than are encoded at once.
TEST(EncodeSite, KeepsTheCodesAndTheLargestOfEachSet) {
  const JudgeSet judge = test::judge_set(3, 367, {1});
  const int64_t n = judge.n();
  sae::Sae sae;
  sae.d = 8;
  sae.h = 20;
  sae.k = 2;
  Random random(8, Purpose::test, 0);
  const auto draw = [&](int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
  };
  sae.encoder = draw(sae.h * sae.d);
  sae.encoder_bias = draw(sae.h);
  sae.pre_bias = draw(sae.d);
  const auto u = draw(n * sae.d);
  const Matched matched = {{0, 3, 19}, {}, {7}};
  for (const auto& candidate : device::every_device()) {
    const auto device = candidate.make();
    const Resampling resampling = make_resampling(*device, judge, {0, 0}, 1);
    const SiteCodes found = encode_site(sae, u, {*device, matched, sae.h}, resampling);
    const auto scores = found.scores.download();
    const auto latent = found.codes.latent.download();
    const auto activation = found.codes.activation.download();
    const sae::Codes codes = sae::encode(*device, sae, u, n);
    ASSERT_EQ(scores.size(), static_cast<size_t>(2 * n));
    for (int64_t i = 0; i < n; ++i) {
      const auto z = [&](int32_t j) {
        double sum = static_cast<double>(sae.encoder_bias[static_cast<size_t>(j)]);
        for (int64_t c = 0; c < sae.d; ++c)
          sum += static_cast<double>(sae.encoder[static_cast<size_t>(j * sae.d + c)]) *
                 (static_cast<double>(u[static_cast<size_t>(i * sae.d + c)]) -
                  static_cast<double>(sae.pre_bias[static_cast<size_t>(c)]));
        return sum;
      };
      ASSERT_NEAR(scores[static_cast<size_t>(i)], std::max({z(0), z(3), z(19)}), 1e-4) << candidate.name;
      ASSERT_NEAR(scores[static_cast<size_t>(n + i)], z(7), 1e-4) << candidate.name;
      for (auto at = static_cast<size_t>(i * sae.k); at < static_cast<size_t>((i + 1) * sae.k); ++at) {
        ASSERT_NEAR(activation[at], z(latent[at]), 1e-4) << candidate.name;
        ASSERT_EQ(activation[at] > 0 ? latent[at] : -1, codes.latent[at]) << candidate.name;
      }
    }
  }
}

TEST(ChanceToFire, IsHypergeometric) {
  const auto chance = chance_to_fire(9, 4);
  ASSERT_EQ(chance.size(), 10U);
  for (int64_t fired = 0; fired <= 9; ++fired)
    EXPECT_NEAR(chance[static_cast<size_t>(fired)],
                1 - test::choose(9.0 - static_cast<double>(fired), 4) / test::choose(9, 4), 1e-12);
  EXPECT_EQ(chance[0], 0);
  EXPECT_EQ(chance[9], 1);
}

TEST(Usage, IsTheEntropyOfFirings) {
  sae::Codes codes{4, 2, {0, 1, 0, -1, 1, 0, -1, -1}, std::vector<float>(8, 1.0F)};
  const Resampling probes = make_resampling(test::host(), test::judge_set(2, 2, {1}), {0, 0}, 1);
  const auto of = [&] { return usage(test::on_device(test::host(), codes), 5, probes); };
  const Usage found = of();
  const double h = -(0.6 * std::log(0.6) + 0.4 * std::log(0.4));
  EXPECT_NEAR(found.perplexity, std::exp(h), 1e-12);
  EXPECT_NEAR(found.silent, 0.25, 1e-12);
  EXPECT_EQ(found.fire_rate, (std::vector<double>{0.75, 0.5, 0, 0, 0}));
  codes.latent.assign(8, -1);
  EXPECT_TRUE(std::isnan(of().perplexity));
  EXPECT_EQ(of().silent, 1);
  EXPECT_EQ(of().fire_rate, std::vector<double>(5, 0.0));
}

TEST(ProbeActivation, AtAnotherTau) {
  const std::vector<float> similarity = {0.5F, 0.1F, 0.9F, 0.4F, 0.9F, 0.9F};  // [3, 2]
  const std::vector<int8_t> interpretable = {1, 1, 0};
  const Matched low = match_at(similarity, interpretable, 2, 0.4),
                high = match_at(similarity, interpretable, 2, 0.6);
  EXPECT_EQ(low, (Matched{{0, 1}, {1}}));
  EXPECT_EQ(high, (Matched{{1}, {}}));
  const JudgeSet judge = test::judge_set(2, 2, {1});
  const sae::Codes codes{4, 1, {0, 1, 1, -1}, {1, 1, 1, 0}};
  const Resampling probes = make_resampling(test::host(), judge, {3, 3}, 1);
  const auto at = [&](const Matched& matched) {
    return probe_activation(test::on_device(test::host(), codes), {test::host(), matched, 3}, judge, probes);
  };
  EXPECT_EQ(at(low), (std::vector<double>{1.0, 0.5}));
  const auto at_high = at(high);
  EXPECT_EQ(at_high[0], 0.5);
  EXPECT_TRUE(std::isnan(at_high[1]));
}

TEST(Auc, CountsPairsAndTies) {
  EXPECT_EQ(auc(std::vector<double>{1, 2, 3, 4}, std::vector<uint8_t>{0, 0, 1, 1}), 1.0);
  EXPECT_EQ(auc(std::vector<double>{1, 1, 1}, std::vector<uint8_t>{0, 1, 1}), 0.5);
  EXPECT_EQ(auc(std::vector<double>{3, 1, 2}, std::vector<uint8_t>{0, 0, 1}), 0.5);
  EXPECT_TRUE(std::isnan(auc(std::vector<double>{3, 1}, std::vector<uint8_t>{1, 1})));
  EXPECT_TRUE(std::isnan(auc(std::vector<double>{nan, 1}, std::vector<uint8_t>{1, 0})));
}

}  // namespace
}  // namespace incipit::emergence
