// Maps and similarities against NumPy and SciPy in fp64: tests/reference/align_golden.py.

#include "../golden.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "align/folds.hpp"
#include "align/linear_algebra.hpp"
#include "align/procrustes.hpp"
#include "align/similarity.hpp"
#include "data.hpp"

namespace incipit::align {
namespace {

/// Everything compared is of the order of one: shares, correlations, relative residuals.
constexpr double exact = 1e-11;
/// An alignment holds its singular vectors in fp32, so the map made of them is known to that.
constexpr double single = 1e-6;

const incipit::test::Golden& golden() {
  static const incipit::test::Golden file("align.h5");
  return file;
}

/// The rows of a case, fit part first.
class AlignGolden : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return GetParam() + ("/" + name); }
  [[nodiscard]] double number(const char* name) const { return golden().attribute<double>(GetParam(), name); }
  [[nodiscard]] std::int64_t integer(const char* name) const {
    return golden().attribute<std::int64_t>(GetParam(), name);
  }
  [[nodiscard]] Rows part(const std::vector<float>& rows, const std::string& name, bool fit) const {
    const std::int64_t d = golden().shape(path(name))[1];
    const std::span<const float> all(rows);
    const auto split = static_cast<std::size_t>(integer("fit") * d);
    const auto data = fit ? all.first(split) : all.subspan(split);
    return {data, static_cast<std::int64_t>(data.size()) / d, d};
  }
  [[nodiscard]] std::vector<std::int32_t> groups(bool fit) const {
    const auto split = group_.begin() + integer("fit");
    return fit ? std::vector<std::int32_t>{group_.begin(), split}
               : std::vector<std::int32_t>{split, group_.end()};
  }
  [[nodiscard]] Alignment align() const {
    const Reference reference(test::host(), part(reference_, "reference", true),
                              part(reference_, "reference", false), groups(true), groups(false), seed_);
    return align::align(reference, part(site_, "site", true), part(site_, "site", false));
  }

  std::vector<float> site_ = golden().read<float>(path("site"));
  std::vector<float> reference_ = golden().read<float>(path("reference"));
  std::vector<std::int32_t> group_ = golden().read<std::int32_t>(path("group"));
  std::uint64_t seed_ = static_cast<std::uint64_t>(integer("run_seed"));
};

/// W = left · rightᵀ
std::vector<double> map_of(const Alignment& alignment) {
  const std::vector<double> left(alignment.left.begin(), alignment.left.end());
  const std::vector<double> right(alignment.right.begin(), alignment.right.end());
  std::vector<double> w(static_cast<std::size_t>(alignment.d_site * alignment.d_reference));
  multiply(false, true, alignment.d_site, alignment.d_reference, alignment.rank, 1.0, left.data(),
           alignment.rank, right.data(), alignment.rank, 0.0, w.data(), alignment.d_reference);
  return w;
}

TEST_P(AlignGolden, FoldsAreTheSame) {
  EXPECT_EQ(group_folds(groups(true), folds, seed_), golden().read<std::int32_t>(path("fold")));
}

TEST_P(AlignGolden, MapIsTheSame) {
  const Alignment found = align();
  EXPECT_EQ(found.rank, integer("rank"));
  EXPECT_NEAR(found.scale, number("scale"), exact * number("scale"));
  EXPECT_LE(incipit::test::relative_error(found.mean_site, golden().read<double>(path("mean"))), exact);
  EXPECT_LE(incipit::test::relative_error(map_of(found), golden().read<double>(path("map"))), single);
  EXPECT_EQ(found.projected, found.d_site > found.d_reference);
}

TEST_P(AlignGolden, JudgementIsTheSame) {
  const Judgement found = align().judgement;
  EXPECT_NEAR(found.residual, number("residual"), exact);
  // The root of what the components leave of the total: where that is nothing, rounding leaves √ε of it.
  EXPECT_NEAR(std::pow(found.residual_floor, 2), std::pow(number("residual_floor"), 2), exact);
  EXPECT_NEAR(found.residual_shuffled, number("residual_shuffled"), exact);
  EXPECT_NEAR(found.outside, number("outside"), exact);
  EXPECT_NEAR(found.retrieval, number("retrieval"), exact);
  EXPECT_NEAR(found.cka, number("cka"), exact);
  EXPECT_NEAR(found.cka_biased, number("cka_biased"), exact);
  EXPECT_NEAR(found.cosine_correlation, number("cosine_correlation"), exact);
  EXPECT_NEAR(found.effective_rank, number("effective_rank"), exact * number("effective_rank"));
}

TEST(RelativeError, OfNanOrOfNothingPassesNoBound) {
  using incipit::test::relative_error;
  using Values = std::vector<double>;
  const double nan = std::nan("");
  EXPECT_LE(relative_error(Values{1, 2}, Values{1, 2}), 0);
  for (const auto& [found, expected] : std::vector<std::pair<Values, Values>>{
           {{1, nan}, {1, 2}}, {{1, 2}, {1, nan}}, {{nan}, {nan}}, {{}, {}}, {{0}, {0}}, {{1}, {1, 2}}})
    EXPECT_FALSE(relative_error(found, expected) <= 1e300);
}

TEST(AlignGoldenSample, SimilaritiesOfManyRowsAreTheSame) {
  const auto x = golden().read<float>("sample/site"), y = golden().read<float>("sample/reference");
  const auto group = golden().read<std::int32_t>("sample/group");
  const auto seed = static_cast<std::uint64_t>(golden().attribute<std::int64_t>("sample", "run_seed"));
  const auto n = static_cast<std::int64_t>(group.size());
  ASSERT_GT(n, largest_sample);
  const Rows a{x, n, golden().shape("sample/site")[1]}, b{y, n, golden().shape("sample/reference")[1]};
  EXPECT_NEAR(cosine_correlation(a, b, group, seed),
              golden().attribute<double>("sample", "cosine_correlation"), exact);
  EXPECT_NEAR(cka(test::host(), a, b).unbiased, golden().attribute<double>("sample", "cka"), exact);
  EXPECT_NEAR(cka(test::host(), a, b).biased, golden().attribute<double>("sample", "cka_biased"), exact);
}

constexpr const char* cases[] = {"square",       "narrow_site",   "wide_site", "few_probes",
                                 "few_for_one",  "few_for_other", "deficient", "deficient_few",
                                 "cut_by_noise", "unrelated"};

TEST(AlignGoldenFile, HoldsTheCasesThatAreRun) {
  std::vector<std::string> expected(std::begin(cases), std::end(cases));
  expected.emplace_back("sample");
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(golden().cases(), expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, AlignGolden, testing::ValuesIn(cases),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace incipit::align
