#include "parallel/counter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::parallel {
namespace {

TEST(Counter, EveryNumberIsGivenOnce) {
  const auto world = Communicator::world();
  constexpr std::int64_t last = 400;
  std::vector<std::int64_t> mine;
  {
    const Counter counter(world);
    for (auto number = counter.next(); number < last; number = counter.next()) {
      mine.push_back(number);
      // Ranks take turns in any order, the first among them fast.
      if (number % 7 < world.rank()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  EXPECT_TRUE(std::ranges::is_sorted(mine));
  auto all = world.all_gather(mine);
  std::ranges::sort(all);
  ASSERT_EQ(std::ssize(all), last);
  for (std::int64_t number = 0; number < last; ++number)
    EXPECT_EQ(all[static_cast<std::size_t>(number)], number);
}

TEST(Counter, EachBeginsAnew) {
  const auto world = Communicator::world();
  for (int round = 0; round < 3; ++round) {
    const Counter counter(world);
    const auto number = counter.next();
    EXPECT_EQ(world.min(number), 0);
    EXPECT_EQ(world.max(number), world.size() - 1);
  }
}

/// Rank 0 computes, and says so, until it sees by files that all others have their numbers.
TEST(Counter, IsAnsweredWhileRankZeroComputes) {
  const auto world = Communicator::world();
  std::string folder;
  if (world.root()) {
    folder = (std::filesystem::temp_directory_path() / "incipit-counter-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  }
  folder = world.broadcast(folder);
  const auto mark = [&](int rank) { return std::filesystem::path(folder) / std::to_string(rank); };
  const Counter counter(world);
  if (world.root()) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (int rank = 1; rank < world.size(); ++rank)
      while (!std::filesystem::exists(mark(rank)) && std::chrono::steady_clock::now() < limit) sign_of_life();
    EXPECT_LT(std::chrono::steady_clock::now(), limit);
  } else {
    for (int i = 0; i < 3; ++i) static_cast<void>(counter.next());
    std::ofstream(mark(world.rank())) << "done";
  }
  world.barrier();
  if (world.root()) std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace incipit::parallel
