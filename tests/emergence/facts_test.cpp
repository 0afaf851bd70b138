#include "emergence/facts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "data.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

std::vector<float> numbered(const std::vector<int>& which) {
  std::vector<float> out;
  for (const int w : which) out.insert(out.end(), {static_cast<float>(w), 3.0F, 4.0F});
  return out;
}

SiteFacts facts(const JudgeSet& judge, const std::vector<int>& which) {
  const auto data = numbered(which);
  return site_facts({data, static_cast<int64_t>(which.size()), 3}, judge);
}

TEST(SiteFacts, CountsDistinctVectorsAndNorm) {
  const JudgeSet judge = test::judge_set(2, 4, {1});
  const SiteFacts found = facts(judge, {0, 0, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(found.distinct, 7);
  double norm = 0;
  for (const int w : {0, 0, 1, 2, 3, 4, 5, 6}) norm += std::sqrt(25.0 + w * w) / 8;
  EXPECT_NEAR(found.norm, norm, 1e-12);
  EXPECT_FALSE(found.degenerate);
}

TEST(SiteFacts, KnowsDegenerateSites) {
  const JudgeSet judge = test::judge_set(2, 4, {1});
  EXPECT_TRUE(facts(judge, {0, 1, 2, 0, 1, 2, 0, 1}).degenerate);   // 3 < 2 · 2
  EXPECT_FALSE(facts(judge, {0, 0, 1, 2, 0, 0, 1, 3}).degenerate);  // half of a subject is not more than half
  EXPECT_TRUE(facts(judge, {0, 0, 0, 1, 2, 3, 4, 5}).degenerate);   // three quarters are
  EXPECT_TRUE(facts(judge, {7, 7, 7, 7, 7, 7, 7, 7}).degenerate);
  EXPECT_THROW((void)facts(judge, {0, 1}), Error);
}

TEST(SiteScale, IsMeanAndSpread) {
  const std::vector<float> x = {1, 2, 3, 6, 5, 10};
  const SiteScale found = site_scale({x, 3, 2});
  EXPECT_EQ(found.mean, (std::vector<float>{3, 6}));
  EXPECT_NEAR(found.scale, std::sqrt((4 + 16 + 0 + 0 + 4 + 16) / 6.0), 1e-6);
  const std::vector<float> same(30, 0.1F);
  EXPECT_EQ(site_scale({same, 10, 3}).scale, 0);
}

}  // namespace
}  // namespace incipit::emergence
