#include "plan/forecast.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace incipit::plan {
namespace {

/// Of round numbers: a GFLOP takes a second, a GB is read in one and all ranks together read four.
Machine machine_of(int ranks, int per_node = 1) {
  Rates rates;
  rates.forward = {{1}, {1e9}};
  rates.train = {{1}, {2e9}};
  rates.read = 1e9;
  rates.read_all = 4e9;
  rates.write_all = 1e9;
  rates.file = 0.5;
  rates.units = {{"track", 10}, {"set up", 10}, {"interpret", 10}};
  return {.rates = rates, .ranks = ranks, .ranks_per_node = per_node};
}

Stage equal_passes(int n, double computing, double reading) {
  Stage stage{"forward", Sharing::teams, {{}}};
  for (int p = 0; p < n; ++p) {
    stage.rounds.front().push_back({.flops = computing * 1e9, .bytes_read = reading * 1e9});
    stage.passes.push_back({.computing = computing, .reading = reading, .most_ranks = 1});
  }
  return stage;
}

TEST(Forecast, ReadingGoesOnBesideComputing) {
  EXPECT_DOUBLE_EQ(forecast({equal_passes(6, 2, 1)}, machine_of(1)).seconds, 12);
  EXPECT_DOUBLE_EQ(forecast({equal_passes(6, 1, 2)}, machine_of(1)).seconds, 12);
}

TEST(Forecast, PassesAreSharedOut) {
  const auto result = forecast({equal_passes(6, 2, 0)}, machine_of(4));
  EXPECT_DOUBLE_EQ(result.seconds, 4);
  EXPECT_DOUBLE_EQ(result.waiting, 1);  // two ranks have one pass, two have two
  EXPECT_NEAR(result.phases.front().balance(), 0.75, 1e-12);
}

TEST(Forecast, TheFileSystemIsShared) {
  // Eight ranks want eight GB/s and get four.
  const auto result = forecast({equal_passes(8, 0, 1)}, machine_of(8));
  EXPECT_NEAR(result.seconds, 2, 1e-9);
  EXPECT_EQ(result.bound(), "reading");
}

TEST(Forecast, WhoComputesLongLeavesTheFileSystemToOthers) {
  // Four that read 1 GB in 10 s take 0.4 GB/s; the other four share 3.6 GB/s: 1 GB in 1.11 s.
  Stage stage = equal_passes(8, 0, 1);
  for (std::size_t p = 0; p < 4; ++p) {
    stage.rounds.front()[p].flops = 10e9;
    stage.passes[p].computing = 10;
  }
  const auto result = forecast({stage}, machine_of(8));
  EXPECT_NEAR(result.seconds, 10, 1e-9);
  EXPECT_NEAR(result.phases.front().mean, (4 * 10 + 4 / 0.9) / 8, 1e-9);
}

TEST(Forecast, ATeamDividesComputingAndReadsOnEachNode) {
  Stage stage = equal_passes(1, 8, 0.5);
  stage.passes.front().most_ranks = 100;
  for (const int per_node : {4, 2, 1}) {
    const auto result = forecast({stage}, machine_of(4, per_node));
    EXPECT_NEAR(result.seconds, 2, 1e-9);
    EXPECT_DOUBLE_EQ(result.bytes_read, 4 / per_node * 0.5e9);
  }
}

TEST(Forecast, ATeamDividesTheWavesOfAPass) {
  Stage stage = equal_passes(1, 8, 6);  // six waves of 1 GB
  stage.passes.front() = {.computing = 8, .reading = 1, .most_ranks = 100, .waves = 6};
  EXPECT_DOUBLE_EQ(forecast({stage}, machine_of(2)).bytes_read, 6e9);
  EXPECT_NEAR(forecast({stage}, machine_of(2)).seconds, 4, 1e-9);
  EXPECT_DOUBLE_EQ(forecast({stage}, machine_of(8)).bytes_read, 8e9);
  EXPECT_DOUBLE_EQ(forecast({stage}, machine_of(8, 8)).bytes_read, 1e9);
}

TEST(Forecast, WholeTasksAreDealtLongestFirst) {
  Stage stage{"track", Sharing::whole, {{{.units = 30}, {.units = 20}, {.units = 10}}, {{.units = 10}}}};
  const auto result = forecast({stage}, machine_of(2));
  EXPECT_DOUBLE_EQ(result.seconds, 3 + 1);  // two rounds
  EXPECT_DOUBLE_EQ(result.waiting, 0 + 0.5);
}

TEST(Forecast, DividedAndReplicatedTasks) {
  const Stage divided{"interpret", Sharing::divided, {{{.units = 40}}}};
  EXPECT_DOUBLE_EQ(forecast({divided}, machine_of(4)).seconds, 1);
  const Stage replicated{"set up", Sharing::replicated, {{{.units = 40}}}};
  EXPECT_DOUBLE_EQ(forecast({replicated}, machine_of(4)).seconds, 4);
}

TEST(Forecast, MakingAFileIsNotDivided) {
  const Stage files{"write", Sharing::divided, {{{.bytes_written = 1e9, .files = 2}}}};
  EXPECT_DOUBLE_EQ(forecast({files}, machine_of(1)).seconds, 1 + 1);
  EXPECT_DOUBLE_EQ(forecast({files}, machine_of(4)).seconds,
                   1 + 1);  // four ranks write no faster: 1 GB/s is all there is
}

TEST(Forecast, PhasesOfOneNameAreOne) {
  const Stage track{"track", Sharing::whole, {{{.units = 10}}}},
      set_up{"set up", Sharing::replicated, {{{.units = 10}}}};
  const auto result = forecast({track, set_up, track}, machine_of(1));
  ASSERT_EQ(result.phases.size(), 2U);
  EXPECT_DOUBLE_EQ(result.phases.front().slowest, 2);
  EXPECT_DOUBLE_EQ(result.seconds, 3);
}

TEST(Forecast, MoreRanksAreNeverSlower) {
  const Stage stage = equal_passes(154, 3, 0.2);
  double before = 1e300;
  for (const int ranks : {1, 2, 3, 8, 32, 154, 512}) {
    const double seconds = forecast({stage}, machine_of(ranks)).seconds;
    EXPECT_LE(seconds, before * (1 + 1e-9)) << ranks;
    before = seconds;
  }
}

TEST(Forecast, ALargeSweepTakesASecondAtMost) {
  Stage stage{"forward", Sharing::teams, {{}}};
  for (int p = 0; p < 1540; ++p) {
    const double size = 1 << (p % 10);
    stage.rounds.front().push_back({.flops = size * 1e9, .bytes_read = size * 1e8});
    stage.passes.push_back({.computing = size, .reading = size / 10, .most_ranks = 64});
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_GT(forecast({stage}, machine_of(4096, 8)).seconds, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace incipit::plan
