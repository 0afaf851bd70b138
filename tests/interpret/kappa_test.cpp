#include "interpret/kappa.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace incipit::interpret {
namespace {

constexpr std::string_view ann = "yynnyynynyynnnyynyny", ben = "ynnnyyyynyynnyyynynn",
                           cy = "yynyyynynynnnnyyyyny";
// The same with items that not everybody answered.
constexpr std::string_view dan = "y-n-yyny-yyn--yynyn-", eve = "--n-yy-y-yynnyy-yy--";

Sums& add(Sums& sums, const Sums& one) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += one[i];
  return sums;
}

Sums pairs(std::string_view a, std::string_view b) {
  Sums sums{};
  for (std::size_t i = 0; i < a.size(); ++i) add(sums, pair_item(a[i] == 'y', b[i] == 'y'));
  return sums;
}

Sums several(std::initializer_list<std::string_view> raters) {
  Sums sums{};
  for (std::size_t i = 0; i < raters.begin()->size(); ++i) {
    int yes = 0, no = 0;
    for (const auto rater : raters) {
      yes += rater[i] == 'y' ? 1 : 0;
      no += rater[i] == 'n' ? 1 : 0;
    }
    add(sums, several_item(yes, no));
  }
  return sums;
}

TEST(CohenKappa, AgreesWithAHandCount) {
  // 50 items: p_o = 35/50; p_e = (25/50)(30/50) + (25/50)(20/50) = 1/2; (0.7 − 0.5) / 0.5.
  EXPECT_NEAR(cohen_kappa({20, 5, 10, 15}), 0.4, 1e-15);
}

// scikit-learn 1.x: sklearn.metrics.cohen_kappa_score.
TEST(CohenKappa, AgreesWithScikitLearn) {
  EXPECT_NEAR(cohen_kappa(pairs(ann, ben)), 0.595959595959596, 1e-14);
  EXPECT_NEAR(cohen_kappa(pairs(ann, cy)), 0.6938775510204083, 1e-14);
  EXPECT_NEAR(cohen_kappa(pairs(ben, cy)), 0.2857142857142858, 1e-14);
}

TEST(CohenKappa, IsOneForEqualAnswersAndMinusOneForOppositeOnes) {
  EXPECT_EQ(cohen_kappa(pairs(ann, ann)), 1);
  EXPECT_EQ(cohen_kappa({0, 5, 5, 0}), -1);
  EXPECT_EQ(cohen_kappa({5, 5, 5, 5}), 0);
}

TEST(CohenKappa, DoesNotExistWithoutItemsOrWhereBothSayOneThing) {
  EXPECT_TRUE(std::isnan(cohen_kappa({})));
  EXPECT_TRUE(std::isnan(cohen_kappa({7, 0, 0, 0})));
  EXPECT_TRUE(std::isnan(cohen_kappa({0, 0, 0, 7})));
  // One of them says only yes: there is nothing beyond chance, which is a number.
  EXPECT_EQ(cohen_kappa({3, 4, 0, 0}), 0);
}

TEST(FleissKappa, AgreesWithAHandCount) {
  // Three raters, three items with 3, 2 and 0 times yes: P = (1 + 1/3 + 1) / 3 = 7/9, p_yes = 5/9,
  // P_e = (25 + 16) / 81 = 41/81; (63 − 41) / (81 − 41).
  Sums sums{};
  for (const int yes : {3, 2, 0}) add(sums, several_item(yes, 3 - yes));
  EXPECT_NEAR(fleiss_kappa(sums), 22.0 / 40.0, 1e-15);
}

// statsmodels 0.14: statsmodels.stats.inter_rater.fleiss_kappa.
TEST(FleissKappa, AgreesWithStatsmodels) {
  EXPECT_NEAR(fleiss_kappa(several({ann, ben, cy})), 0.5248868778280544, 1e-14);
}

// irrCAC 0.4 (Gwet): CAC(...).fleiss() with missing answers.
TEST(FleissKappa, AgreesWithGwetWhereAnswersAreMissing) {
  EXPECT_NEAR(fleiss_kappa(several({dan, eve, cy})), 0.682875264271, 1e-12);
}

TEST(FleissKappa, DoesNotExistWithoutPairsOrWhereAllSayOneThing) {
  EXPECT_TRUE(std::isnan(fleiss_kappa({})));
  EXPECT_TRUE(std::isnan(fleiss_kappa(several_item(1, 0))));
  EXPECT_TRUE(std::isnan(fleiss_kappa(several_item(3, 0))));
  EXPECT_EQ(fleiss_kappa(several({ann, ann, ann})), 1);
}

}  // namespace
}  // namespace incipit::interpret
