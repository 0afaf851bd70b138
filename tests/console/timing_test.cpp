#include "console/timing.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "meters.hpp"

namespace incipit::console {
namespace {

void wait_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

TEST(Timing, AnInnerPhaseStopsTheOuterClock) {
  Timing timing;
  const auto begin = std::chrono::steady_clock::now();
  {
    const auto outer = timing.phase("outer");
    wait_seconds(0.02);
    {
      const auto inner = timing.phase("inner");
      wait_seconds(0.05);
    }
    wait_seconds(0.02);
  }
  {
    const auto outer = timing.phase("outer");
    wait_seconds(0.01);
  }
  const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto entries = timing.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "outer");
  EXPECT_GE(entries[0].work.seconds, 0.05);
  EXPECT_GE(entries[1].work.seconds, 0.05);
  EXPECT_LE(entries[0].work.seconds + entries[1].work.seconds, total);
  EXPECT_GT(entries[0].work.seconds + entries[1].work.seconds, 0.9 * total);
}

TEST(Timing, SummaryShowsTheSpreadOverRanks) {
  const auto world = parallel::Communicator::world();
  Timing timing;
  timing.add("read", {.seconds = 1.0 + world.rank(), .bytes_read = 1e9});
  // Only the last rank has this phase.
  if (world.rank() == world.size() - 1) timing.add("train", {.seconds = 2.0, .flops = 6e9});
  const auto summary = timing.summary(world);
  const auto& rows = summary.rows;
  ASSERT_EQ(rows.size(), 2U);
  const double n = world.size();
  EXPECT_EQ(rows[0].name, "read");
  EXPECT_DOUBLE_EQ(rows[0].min, 1.0);
  EXPECT_DOUBLE_EQ(rows[0].max, n);
  EXPECT_NEAR(rows[0].mean, (n + 1) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(rows[0].total.bytes_read, n * 1e9);
  EXPECT_EQ(rows[1].name, "train");
  EXPECT_DOUBLE_EQ(rows[1].min, n > 1 ? 0.0 : 2.0);
  EXPECT_DOUBLE_EQ(rows[1].max, 2.0);
  EXPECT_DOUBLE_EQ(rows[1].total.flops, 6e9);
  EXPECT_NEAR(rows[0].share + rows[1].share + summary.waiting.share + summary.elsewhere.share, 1.0, 1e-12);
  EXPECT_NEAR(rows[1].share / rows[0].share, (2 / n) / ((n + 1) / 2), 1e-12);
  const std::string table = Timing::table(summary);
  EXPECT_NE(table.find("train"), std::string::npos);
  EXPECT_NE(table.find(" %"), std::string::npos);
  EXPECT_NE(table.find("GFLOP/s"), std::string::npos);
}

TEST(Timing, WhatIsNoPhaseAndNoWaitingIsElsewhere) {
  const auto world = parallel::Communicator::world();
  Timing timing;
  wait_seconds(0.05);
  const auto summary = timing.summary(world);
  EXPECT_TRUE(summary.rows.empty());
  EXPECT_GE(summary.elsewhere.min, 0.05);
  EXPECT_GE(summary.seconds, 0.05);
}

TEST(Timing, WaitingForAnotherRankIsNoPhases) {
  const auto world = parallel::Communicator::world();
  Timing timing;
  {
    const auto phase = timing.phase("work");
    if (world.rank() == 0) wait_seconds(0.2);
    world.barrier();
  }
  const auto summary = timing.summary(world);
  EXPECT_GE(summary.rows.at(0).max, 0.2);  // rank 0's
  if (world.size() == 1) return;
  EXPECT_LT(summary.rows.at(0).min, 0.1);
  EXPECT_GE(summary.waiting.max, 0.1);
}

TEST(Timing, APhaseHasWhatTheMetersCountMeanwhile) {
  Timing timing;
  meters.bytes_read += 5;
  {
    const auto phase = timing.phase("reading");
    meters.bytes_read += 7;
    meters.bytes_written += 2;
    const auto inner = timing.phase("inner");
    meters.bytes_read += 11;
  }
  meters.bytes_read += 13;
  const auto entries = timing.entries();
  EXPECT_EQ(entries.at(0).work.bytes_read, 7);
  EXPECT_EQ(entries.at(0).work.bytes_written, 2);
  EXPECT_EQ(entries.at(1).work.bytes_read, 11);
}

}  // namespace
}  // namespace incipit::console
