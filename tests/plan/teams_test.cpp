#include "plan/teams.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace incipit::plan {
namespace {

std::vector<int> one_node(int ranks) {
  return std::vector<int>(static_cast<std::size_t>(ranks), 0);
}

/// Each rank on a node of its own.
std::vector<int> numbered_nodes(int ranks) {
  std::vector<int> nodes(static_cast<std::size_t>(ranks));
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

std::vector<Pass> passes_of(const std::vector<double>& seconds) {
  std::vector<Pass> passes;
  for (const double s : seconds) passes.push_back({.computing = s, .most_ranks = 1000});
  return passes;
}

/// Seconds until the last team is done.
double slowest_team(std::span<const Pass> passes, const Teams& teams) {
  double slowest = 0;
  for (std::size_t t = 0; t < teams.work.size(); ++t) {
    double seconds = 0;
    for (const auto p : teams.work[t]) seconds += passes[p].seconds_with(teams.ranks_of(t), teams.nodes[t]);
    slowest = std::max(slowest, seconds);
  }
  return slowest;
}

TEST(MakeTeams, EveryPassIsDoneOnceAndEveryRankHasATeam) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> seconds(0.1, 10);
  for (const int n : {0, 1, 2, 5, 33, 154}) {
    for (const int ranks : {1, 2, 3, 7, 32, 200}) {
      std::vector<Pass> passes;
      for (int p = 0; p < n; ++p)
        passes.push_back(
            {.computing = seconds(random), .reading = seconds(random), .most_ranks = 1 + p % 40});
      const auto teams = make_teams(passes, one_node(ranks));
      std::vector<int> done(passes.size(), 0);
      for (const auto& work : teams.work)
        for (const auto p : work) ++done[p];
      EXPECT_TRUE(std::ranges::all_of(done, [](int times) { return times == 1; }));
      ASSERT_EQ(teams.team.size(), static_cast<std::size_t>(ranks));
      for (const int team : teams.team) {
        ASSERT_GE(team, 0);
        ASSERT_LT(team, std::ssize(teams.work));
      }
      for (std::size_t t = 0; t < teams.work.size(); ++t)
        EXPECT_TRUE(teams.work[t].empty() || teams.ranks_of(t) >= 1);
    }
  }
}

TEST(MakeTeams, WithinFourThirdsOfTheLowerBound) {
  // Graham's bound for longest first on equal machines.
  std::mt19937 random(4);
  std::exponential_distribution<double> seconds(0.2);
  for (int turn = 0; turn < 50; ++turn) {
    const int ranks = 1 + turn % 16;
    std::vector<double> costs(static_cast<std::size_t>(ranks) * 4);
    for (double& cost : costs) cost = seconds(random);
    const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
    const auto passes = passes_of(costs);
    const double bound = std::max(total / ranks, *std::ranges::max_element(costs));
    EXPECT_LE(slowest_team(passes, make_teams(passes, one_node(ranks))), 4.0 / 3 * bound);
  }
}

TEST(MakeTeams, LeftOverRanksHelpWhoHasMostToDo) {
  const auto passes = passes_of({1, 8});
  const auto teams = make_teams(passes, one_node(9));
  ASSERT_EQ(teams.work.size(), 2U);
  for (std::size_t t = 0; t < 2; ++t) EXPECT_EQ(teams.ranks_of(t), teams.work[t].front() == 1 ? 8 : 1);
  EXPECT_DOUBLE_EQ(slowest_team(passes, teams), 1);
}

TEST(MakeTeams, OneLongPassGetsATeamThoughThereAreMorePassesThanRanks) {
  std::vector<double> costs(12, 1.0);
  costs.push_back(60);
  const auto passes = passes_of(costs);
  const auto teams = make_teams(passes, one_node(6));
  EXPECT_LE(slowest_team(passes, teams), 15);  // alone it would be 60, and 12 is the least there can be
}

TEST(MakeTeams, RanksThatWouldFindNothingToDoGetNothing) {
  const std::vector<Pass> passes{{.computing = 10, .reading = 5, .most_ranks = 100},
                                 {.computing = 10, .reading = 0, .most_ranks = 3}};
  const auto teams = make_teams(passes, numbered_nodes(64));
  std::vector<int> used;
  for (std::size_t t = 0; t < teams.work.size(); ++t)
    if (!teams.work[t].empty()) used.push_back(teams.ranks_of(t));
  ASSERT_EQ(used.size(), 2U);
  EXPECT_LE(used[0] + used[1], 5);  // two for the one that reads, three for the other
  EXPECT_DOUBLE_EQ(slowest_team(passes, teams), 5);
}

TEST(MakeTeams, RanksOfANodeReadTogether) {
  const std::vector<Pass> passes{{.computing = 8, .reading = 8, .most_ranks = 100}};
  EXPECT_DOUBLE_EQ(slowest_team(passes, make_teams(passes, one_node(8))), 1);
  EXPECT_DOUBLE_EQ(slowest_team(passes, make_teams(passes, {std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1}})), 2);
  EXPECT_DOUBLE_EQ(slowest_team(passes, make_teams(passes, numbered_nodes(8))), 8);
}

TEST(MakeTeams, LittleMemoryMakesLargerTeams) {
  // A rank that can hold a sixth of the packs reads six times, six ranks once and together.
  std::vector<Pass> passes(12, {.computing = 1, .reading = 1, .most_ranks = 100, .waves = 1});
  EXPECT_EQ(make_teams(passes, one_node(12)).ranks_of(0), 1);
  for (Pass& pass : passes) pass.waves = 6;
  const auto teams = make_teams(passes, one_node(12));
  EXPECT_GE(teams.ranks_of(0), 6);
  EXPECT_LT(slowest_team(passes, teams), 6.0 / 3);
}

TEST(MakeTeams, WhatIsWaitedForGoesFirst) {
  auto passes = passes_of({9, 1, 5});
  passes[1].first = true;
  const auto teams = make_teams(passes, one_node(1));
  EXPECT_EQ(teams.work.front(), (std::vector<std::size_t>{1, 0, 2}));
}

TEST(LeftToAll, IsWhatNoTeamBeginsWithInTheOrderOfAll) {
  auto passes = passes_of({3, 9, 1, 5, 4, 2});
  passes[2].first = true;
  const auto teams = make_teams(passes, one_node(2));
  std::vector<std::size_t> begun;
  for (const auto& work : teams.work) begun.push_back(work.front());
  EXPECT_TRUE(std::ranges::count(begun, 2U) == 1);
  auto all = order_of(passes);
  EXPECT_EQ(all, (std::vector<std::size_t>{2, 1, 3, 4, 0, 5}));
  for (const auto p : begun) std::erase(all, p);
  EXPECT_EQ(left_to_all(teams, passes), all);
}

TEST(LeftToAll, IsNothingWhereEachPassHasItsTeam) {
  const auto passes = passes_of({1, 8});
  EXPECT_TRUE(left_to_all(make_teams(passes, one_node(9)), passes).empty());
}

TEST(MakeTeams, ATeamStandsOnOneNode) {
  // Ranks dealt to four nodes in turn, as `mpirun --map-by node` does.
  std::vector<int> node_of;
  for (int r = 0; r < 16; ++r) node_of.push_back(r % 4);
  const auto teams = make_teams(passes_of({5, 5, 5, 5}), node_of);
  for (std::size_t t = 0; t < 4; ++t) {
    std::vector<int> nodes;
    for (std::size_t r = 0; r < node_of.size(); ++r)
      if (teams.team[r] == static_cast<int>(t)) nodes.push_back(node_of[r]);
    EXPECT_EQ(nodes.size(), 4U);
    EXPECT_TRUE(std::ranges::all_of(nodes, [&](int node) { return node == nodes.front(); }));
  }
}

TEST(MakeTeams, NoTeamStandsOnMoreNodesThanItMust) {
  // Teams of one and of several ranks, which in one row would stand on two nodes now and then.
  auto passes = passes_of({9, 9, 9, 9, 6, 6, 6, 3, 3, 3, 3, 3});
  std::vector<int> node_of;
  for (int r = 0; r < 24; ++r) node_of.push_back(r / 4);
  const auto teams = make_teams(passes, node_of);
  bool several = false;
  for (std::size_t t = 0; t < teams.work.size(); ++t) {
    if (teams.work[t].empty()) continue;
    several = several || teams.ranks_of(t) > 1;
    EXPECT_EQ(teams.nodes[t], (teams.ranks_of(t) + 3) / 4) << teams.ranks_of(t);
  }
  EXPECT_TRUE(several);
}

TEST(UsefulRanks, AreNoMoreThanTheLongestPassAllows) {
  std::vector<Pass> passes;
  for (const double s : {10.0, 1.0, 1.0, 1.0, 1.0}) passes.push_back({.computing = s, .most_ranks = 1});
  EXPECT_EQ(useful_ranks(passes, one_node(16)), 2);
  EXPECT_EQ(useful_ranks(passes, one_node(1)), 1);
  EXPECT_EQ(useful_ranks(passes_of(std::vector<double>(8, 1.0)), one_node(8)), 8);
}

}  // namespace
}  // namespace incipit::plan
