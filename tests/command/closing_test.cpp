#include "command/closing.hpp"

#include <gtest/gtest.h>

namespace incipit::command {
namespace {

using console::Timing;

/// One phase on some ranks.
struct Given {
  const char* name;
  double mean, slowest, stalled = 0, gigabytes = 0;
};

/// Shares are of all rows and of what was waited.
Timing::Summary summary_of(int ranks, const std::vector<Given>& phases, double waiting) {
  Timing::Summary summary;
  double total = waiting;
  for (const auto& phase : phases) total += phase.mean;
  const auto row = [&](const std::string& name, double mean, double slowest) {
    return Timing::Row{name, 2 * mean - slowest, mean, slowest, mean / total, {.seconds = mean * ranks}};
  };
  for (const auto& phase : phases) {
    summary.rows.push_back(row(phase.name, phase.mean, phase.slowest));
    summary.rows.back().total.stalled = phase.stalled * ranks;
    summary.rows.back().total.bytes_read = phase.gigabytes * 1e9;
  }
  summary.waiting = row("waiting", waiting, waiting);
  summary.elsewhere = row("elsewhere", 0, 0);
  summary.seconds = total;
  return summary;
}

testing::AssertionResult holds(const std::vector<std::string>& hints, const std::string& part) {
  for (const auto& hint : hints)
    if (hint.find(part) != std::string::npos) return testing::AssertionSuccess();
  auto result = testing::AssertionFailure() << "no hint with '" << part << "' among " << hints.size();
  for (const auto& hint : hints) result << "\n  " << hint;
  return result;
}

TEST(Closing, ARunOfSecondsHasNoHints) {
  const auto summary = summary_of(2, {{"forward", 2, 4}}, 1);
  EXPECT_TRUE(suggestions(summary, {.ranks = 2}).empty());
}

TEST(Closing, ReadingThatLimitsIsNamedWithTheRanksThatWouldDo) {
  const auto summary = summary_of(8, {{"forward", 100, 100, 75, 400}, {"train", 10, 10}}, 1);
  EXPECT_EQ(bound_of(summary).find("reading weights: 68 %"), 0U) << bound_of(summary);
  EXPECT_TRUE(
      holds(suggestions(summary, {.ranks = 8, .ranks_per_node = 8, .passes = 64, .useful_ranks = 8}),
            "waited 75 % of its time for weights, which came at 4 GB/s: 2 rank(s) per node would do"));
  EXPECT_TRUE(holds(suggestions(summary, {.ranks = 8, .ranks_per_node = 1, .passes = 64, .useful_ranks = 8}),
                    "more nodes, a faster file system or more stripes"));
}

TEST(Closing, TooManyRanksForTheCheckpoints) {
  const auto summary = summary_of(16, {{"forward", 50, 100}}, 50);
  EXPECT_TRUE(
      holds(suggestions(summary, {.ranks = 16, .ranks_per_node = 16, .passes = 10, .useful_ranks = 8}),
            "10 checkpoint(s) keep 8 of 16 ranks busy"));
  EXPECT_EQ(bound_of(summary).find("waiting for other ranks: 50 %"), 0U) << bound_of(summary);
}

TEST(Closing, AnUnevenPhaseIsNamed) {
  const auto summary = summary_of(4, {{"forward", 50, 50}, {"train", 20, 60}}, 40);
  const RunFacts facts{.ranks = 4, .ranks_per_node = 4, .passes = 4, .useful_ranks = 4};
  EXPECT_TRUE(
      holds(suggestions(summary, facts), "most of it for the phase train (60.0 s on the slowest rank"));
}

TEST(Closing, EvenRanksThatWaitShareTheirCores) {
  const auto summary = summary_of(4, {{"forward", 50, 51}}, 20);
  const RunFacts facts{.ranks = 4, .ranks_per_node = 4, .passes = 4, .useful_ranks = 4};
  EXPECT_TRUE(holds(suggestions(summary, facts), "share cores"));
}

TEST(Closing, SlowWriting) {
  const auto summary = summary_of(1, {{"forward", 50, 50}, {"write", 60, 60}}, 0);
  EXPECT_EQ(bound_of(summary).find("writing: 55 %"), 0U) << bound_of(summary);
  EXPECT_TRUE(holds(suggestions(summary, {}), "writing takes 55 % of the time"));
}

TEST(Closing, WeightsThatAreReadAgainAndAgain) {
  const auto summary = summary_of(2, {{"forward", 100, 100}}, 0);
  const RunFacts facts{
      .ranks = 2, .passes = 4, .useful_ranks = 2, .waves = 40, .memory = std::uint64_t{8} << 30U};
  EXPECT_TRUE(holds(suggestions(summary, facts),
                    "weights were read 10.0 times each, since a wave holds what run.memory (8.0 GiB)"));
}

TEST(Closing, NoRoomForWhatRanksShare) {
  const auto summary = summary_of(4, {{"forward", 90, 91}}, 2);
  EXPECT_TRUE(holds(suggestions(summary, {.ranks = 4, .passes = 2, .useful_ranks = 4, .unshared = 2}),
                    "2 time(s) the ranks of a team read the same weights each for itself"));
  EXPECT_FALSE(holds(suggestions(summary, {.ranks = 4, .passes = 2, .useful_ranks = 4}), "/dev/shm"));
}

TEST(Closing, ComputingThatLimitsIsAsItShouldBe) {
  const auto summary = summary_of(4, {{"forward", 90, 91}, {"train", 5, 5}}, 2);
  const RunFacts facts{.ranks = 4, .ranks_per_node = 4, .passes = 154, .useful_ranks = 4, .waves = 154};
  EXPECT_EQ(bound_of(summary).find("computing: 98 % of the time, 93 % in the phase forward"), 0U)
      << bound_of(summary);
  const auto hints = suggestions(summary, facts);
  ASSERT_EQ(hints.size(), 1U);
  EXPECT_TRUE(holds(hints, "up to 154 ranks"));
}

}  // namespace
}  // namespace incipit::command
