#include "command/harvest.hpp"

#include <gtest/gtest.h>

#include "parallel/communicator.hpp"
#include "random.hpp"

namespace incipit::command {
namespace {

/// Packs of random sizes over `probes` probes in random order.
std::vector<corpus::Pack> random_packs(std::int64_t probes, std::uint64_t seed) {
  Random random(seed, Purpose::test, 0);
  std::vector<corpus::Pack> packs;
  for (auto probe : permutation(probes, random)) {
    if (packs.empty() || random.below(4) == 0) packs.emplace_back();
    packs.back().probes.push_back(probe);
  }
  return packs;
}

/// The number that stands for (layer, probe, column).
float mark(std::size_t layer, std::int64_t probe, std::int64_t column) {
  return static_cast<float>(static_cast<std::int64_t>(layer) * 1000000 + probe * 10 + column);
}

class HarvestTest : public testing::TestWithParam<std::int64_t> {};

TEST_P(HarvestTest, EveryRowReachesTheRankThatWritesItInTheDecksOrder) {
  const auto world = parallel::Communicator::world();
  const std::int64_t probes = GetParam(), width = 3;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto packs = random_packs(probes, seed);
    std::vector<std::int64_t> order;
    for (const auto& pack : packs) order.insert(order.end(), pack.probes.begin(), pack.probes.end());
    const Harvest harvest(packs, {0, 4}, width);
    EXPECT_EQ(harvest.positions(0, packs.size()).end, probes);
    std::vector<parallel::BlockRange> held;
    // Uneven on purpose: the last rank holds everything but one row for each rank before it.
    for (int r = 0; r < world.size(); ++r)
      held.push_back({std::min<std::int64_t>(r, probes),
                      r + 1 == world.size() ? probes : std::min<std::int64_t>(r + 1, probes)});
    const auto mine = held[static_cast<std::size_t>(world.rank())];
    std::size_t written = 0;
    harvest.deliver(
        world, held,
        [&](std::size_t layer) {
          std::vector<float> rows;
          for (auto p = mine.begin; p < mine.end; ++p)
            for (std::int64_t c = 0; c < width; ++c)
              rows.push_back(mark(layer, order[static_cast<std::size_t>(p)], c));
          return rows;
        },
        [&](std::size_t layer, parallel::BlockRange block, std::span<const float> rows) {
          EXPECT_EQ(layer, written++);
          ASSERT_EQ(static_cast<std::int64_t>(rows.size()), block.size() * width);
          for (auto probe = block.begin; probe < block.end; ++probe)
            for (std::int64_t c = 0; c < width; ++c)
              EXPECT_EQ(rows[static_cast<std::size_t>((probe - block.begin) * width + c)],
                        mark(layer, probe, c));
        });
    EXPECT_EQ(written, 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, HarvestTest, testing::Values(1, 2, 7, 130));

}  // namespace
}  // namespace incipit::command
