#include "console/timing.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

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
  EXPECT_GE(entries[0].seconds, 0.05);
  EXPECT_GE(entries[1].seconds, 0.05);
  EXPECT_LE(entries[0].seconds + entries[1].seconds, total);
  EXPECT_GT(entries[0].seconds + entries[1].seconds, 0.9 * total);
}

TEST(Timing, SummaryShowsTheSpreadOverRanks) {
  const auto world = parallel::Communicator::world();
  Timing timing;
  timing.add("read", 1.0 + world.rank());
  // Only the last rank has this phase.
  if (world.rank() == world.size() - 1) timing.add("train", 2.0);
  const auto rows = timing.summary(world);
  ASSERT_EQ(rows.size(), 2U);
  const double n = world.size();
  EXPECT_EQ(rows[0].name, "read");
  EXPECT_DOUBLE_EQ(rows[0].min, 1.0);
  EXPECT_DOUBLE_EQ(rows[0].max, n);
  EXPECT_NEAR(rows[0].mean, (n + 1) / 2, 1e-12);
  EXPECT_EQ(rows[1].name, "train");
  EXPECT_DOUBLE_EQ(rows[1].min, n > 1 ? 0.0 : 2.0);
  EXPECT_DOUBLE_EQ(rows[1].max, 2.0);
  EXPECT_NEAR(rows[0].share + rows[1].share, 1.0, 1e-12);
  EXPECT_NEAR(rows[1].share, (2 / n) / (2 / n + (n + 1) / 2), 1e-12);
  const std::string table = Timing::table(rows);
  EXPECT_NE(table.find("train"), std::string::npos);
  EXPECT_NE(table.find(" %"), std::string::npos);
}

TEST(Timing, SummaryOfNothingIsEmpty) {
  EXPECT_TRUE(Timing().summary(parallel::Communicator::world()).empty());
}

}  // namespace
}  // namespace incipit::console
