#include "command/visits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "command/let_go.hpp"
#include "deck/deck.hpp"

namespace incipit::command {
namespace {

const std::filesystem::path decks = std::filesystem::path(INCIPIT_SOURCE_DIR) / "inputs";

/// The bundled family's trails with many controls.
Study planned_study() {
  const auto deck = deck::load(decks / "nano.ini", {"--controls.random_weights=curves", "--sae.seeds=2",
                                                    "--controls.first_step=yes", "--controls.seeds=yes"});
  auto study = resolve(deck, Scope::curves);
  plan_trails(study, deck);
  return study;
}

std::vector<TrailVisit> visits_of(const Study& study, double seconds) {
  auto visits = all_visits(study);
  for (auto& visit : visits) visit.seconds = seconds;
  return visits;
}

double none_at_once(const Stay&) {
  return 0;
}

TEST(Visits, EachPointIsOneRanks) {
  const auto study = planned_study();
  const auto visits = visits_of(study, 1);
  for (const int ranks : {1, 2, 3, 16, 1000}) {
    std::multiset<std::pair<std::size_t, std::size_t>> dealt;
    const auto all = deal_visits(study, visits, none_at_once, ranks);
    ASSERT_EQ(std::ssize(all), ranks);
    for (const auto& mine : all)
      for (const auto& stay : mine)
        for (const auto& visit : stay.visits) {
          EXPECT_EQ(reading_of(study, visit).site, stay.site);
          dealt.insert({visit.trail, visit.p});
        }
    EXPECT_EQ(dealt.size(), visits.size());
    EXPECT_EQ(std::set(dealt.begin(), dealt.end()).size(), visits.size());
  }
}

TEST(Visits, ASiteIsReadByOneRankUnlessItIsMoreThanAShare) {
  const auto study = planned_study();
  auto visits = visits_of(study, 1);
  const auto stays_at = [&](const Site& site) {
    std::ptrdiff_t stays = 0;
    for (const auto& mine : deal_visits(study, visits, none_at_once, 3))
      stays += std::ranges::count(mine, site, &Stay::site);
    return stays;
  };
  const Site& home = study.anchors.front().site;
  EXPECT_EQ(stays_at(home), 1);
  for (auto& visit : visits)
    if (reading_of(study, visit).site == home) visit.seconds = 1000;
  EXPECT_GE(stays_at(home), 3);
}

TEST(Visits, AreDealtByWhatTheyTake) {
  const auto study = planned_study();
  auto visits = visits_of(study, 1);
  for (std::size_t v = 0; v < visits.size(); ++v) visits[v].seconds = 1 + static_cast<double>(v % 7);
  const auto once = [](const Stay& stay) { return stay.site.step == random_weights ? 0.0 : 2.0; };
  std::vector<double> held;
  double longest = 0;
  for (const auto& mine : deal_visits(study, visits, once, 4)) {
    held.push_back(0);
    for (const auto& stay : mine) {
      double seconds = once(stay);
      for (const auto& visit : stay.visits) seconds += visit.seconds;
      longest = std::max(longest, seconds);
      held.back() += seconds;
    }
    EXPECT_TRUE(std::ranges::is_sorted(mine, {}, &Stay::site));
  }
  EXPECT_LE(std::ranges::max(held) - std::ranges::min(held), longest);
}

TEST(Visits, RankZeroGetsLessWhereItHasMoreToDo) {
  const auto study = planned_study();
  const auto visits = visits_of(study, 1);
  const double beside = static_cast<double>(visits.size()) / 4;
  std::vector<std::ptrdiff_t> held;
  for (const auto& mine : deal_visits(study, visits, none_at_once, 2, beside)) {
    held.push_back(0);
    for (const auto& stay : mine) held.back() += std::ssize(stay.visits);
  }
  EXPECT_NEAR(static_cast<double>(held[1] - held[0]), beside, 2.0);
}

TEST(LetGo, APointReadsItsSiteTheOneBeforeAndItsDictionarysHome) {
  const auto study = planned_study();
  const auto checkpoint = [&](std::size_t t, std::size_t p) {
    return study.checkpoint_of(study.trails[t].readings[p].site);
  };
  const auto home = study.checkpoint_of(study.anchors.front().site);
  EXPECT_EQ(read_by(study, {0, 4}), (std::set{checkpoint(0, 4), checkpoint(0, 3), home}));
  EXPECT_EQ(read_by(study, {0, 0}), (std::set{checkpoint(0, 0), home}));
  auto gap = study;
  gap.anchors.front().left_out = {study.trails[0].readings[3].site};
  EXPECT_TRUE(read_by(gap, {0, 3}).empty());
  EXPECT_EQ(read_by(gap, {0, 4}), (std::set{checkpoint(0, 4), home}));
}

TEST(Visits, AGapIsComparedWithNothing) {
  auto study = planned_study();
  const auto& sites = study.anchors.front().curves.front().points;
  ASSERT_EQ(study.trails.front().curve.name, "time");
  EXPECT_EQ(compared_with(study, {0, 0}), nullptr);
  for (std::size_t p = 1; p < sites.size(); ++p) {
    ASSERT_NE(compared_with(study, {0, p}), nullptr);
    EXPECT_EQ(*compared_with(study, {0, p}), sites[p - 1]);
  }
  study.anchors.front().left_out = {sites[3]};
  EXPECT_TRUE(is_gap(study, {0, 3}));
  EXPECT_EQ(compared_with(study, {0, 3}), nullptr);
  EXPECT_EQ(compared_with(study, {0, 4}), nullptr);
  EXPECT_NE(compared_with(study, {0, 5}), nullptr);
  for (std::size_t t = 0; t < study.trails.size(); ++t) {
    if (study.trails[t].of_anchor()) continue;
    EXPECT_EQ(compared_with(study, {t, study.trails[t].readings.size() - 1}), nullptr);
  }
}

}  // namespace
}  // namespace incipit::command
