#include "align/drift.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "data.hpp"

namespace incipit::align {
namespace {

using test::Matrix;
using test::noise;

constexpr std::int64_t drift_rows = 120, drift_width = 12;

std::vector<std::int32_t> alone() {
  std::vector<std::int32_t> group(drift_rows);
  std::iota(group.begin(), group.end(), 0);
  return group;
}

struct Site {
  Matrix fit, judge;
  [[nodiscard]] Parts parts() const { return {fit.rows(), judge.rows()}; }
};

Drift between(const Site& before, const Site& now) {
  return drift(test::host(), before.parts(), now.parts(), alone(), alone(), 1);
}

Site made(std::uint64_t stream) {
  return {noise(drift_rows, drift_width, stream), noise(drift_rows, drift_width, stream + 1)};
}

TEST(Drift, NothingMovesFromASiteToItself) {
  const Site site = made(1);
  const Drift found = between(site, site);
  EXPECT_NEAR(found.cka, 1, 1e-6);
  EXPECT_LT(found.residual, 1e-5);
  EXPECT_NEAR(found.cosine, 1, 1e-12);
  EXPECT_NEAR(found.norm_ratio, 1, 1e-12);
}

TEST(Drift, ARescaledStreamChangesItsNormAlone) {
  const Site site = made(3);
  Site doubled = site;
  for (float& v : doubled.fit.data) v *= 2;
  for (float& v : doubled.judge.data) v *= 2;
  const Drift found = between(site, doubled);
  EXPECT_NEAR(found.norm_ratio, 2, 1e-6);
  EXPECT_NEAR(found.cosine, 1, 1e-6);
  EXPECT_LT(found.residual, 1e-5);
}

TEST(Drift, ATurnedBasisChangesTheCosinesAlone) {
  const Site site = made(5);
  const auto q = test::rotation(drift_width, 9);
  const Site now{test::turned(site.fit, q, drift_width, 1, 0),
                 test::turned(site.judge, q, drift_width, 1, 0)};
  const Drift found = between(site, now);
  EXPECT_LT(std::abs(found.cosine), 0.5);
  EXPECT_NEAR(found.cka, 1, 1e-5);
  EXPECT_LT(found.residual, 1e-4);
  EXPECT_NEAR(found.norm_ratio, 1, 1e-5);
}

TEST(Drift, ANewStreamHasNothingOfTheOld) {
  const Drift found = between(made(7), made(11));
  EXPECT_LT(std::abs(found.cka), 0.2);
  EXPECT_GT(found.residual, 0.9);
}

TEST(Drift, OtherWidthsHaveNoCosine) {
  const Site site = made(13);
  const auto q = test::rotation(drift_width, 9);
  const Site now{test::turned(site.fit, q, 8, 1, 0), test::turned(site.judge, q, 8, 1, 0)};
  const Drift found = between(site, now);
  EXPECT_TRUE(std::isnan(found.cosine));
  EXPECT_GT(found.cka, 0.5);
  EXPECT_LT(found.norm_ratio, 1);
}

TEST(Drift, FromOneVectorForAllThereIsNoMap) {
  Site same = made(15);
  for (auto* part : {&same.fit, &same.judge})
    for (std::int64_t i = 0; i < drift_rows * drift_width; ++i)
      part->data[static_cast<std::size_t>(i)] = static_cast<float>(1 + i % drift_width);
  const Drift found = between(same, made(17));
  EXPECT_TRUE(std::isnan(found.cka));
  EXPECT_TRUE(std::isnan(found.residual));
  EXPECT_FALSE(std::isnan(found.norm_ratio));
}

}  // namespace
}  // namespace incipit::align
