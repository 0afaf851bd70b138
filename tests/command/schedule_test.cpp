#include "command/schedule.hpp"

#include <gtest/gtest.h>

#include "../support.hpp"

namespace incipit::command {
namespace {

corpus::Pack pack_of(std::size_t tokens) {
  return {{0}, std::vector<std::int32_t>(tokens), {0, static_cast<std::int64_t>(tokens)}};
}

TEST(SharePacks, CoversAllInOrderWithAboutEqualTokens) {
  std::vector<corpus::Pack> packs;
  for (std::size_t i = 0; i < 40; ++i) packs.push_back(pack_of(1 + i % 7));
  for (const int ranks : {1, 2, 3, 7, 40}) {
    const auto first = share_packs(packs, ranks);
    ASSERT_EQ(first.size(), static_cast<std::size_t>(ranks) + 1);
    EXPECT_EQ(first.front(), 0u);
    EXPECT_EQ(first.back(), packs.size());
    for (std::size_t r = 0; r + 1 < first.size(); ++r) {
      ASSERT_LE(first[r], first[r + 1]);
      const auto mine = std::span<const corpus::Pack>(packs).subspan(first[r], first[r + 1] - first[r]);
      EXPECT_LE(tokens_of(mine), tokens_of(packs) / ranks + 7);
    }
  }
}

TEST(SharePacks, LeavesRanksWithoutWorkWhereThereAreFewPacks) {
  const std::vector<corpus::Pack> packs = {pack_of(3)};
  const auto first = share_packs(packs, 3);
  std::size_t given = 0;
  for (std::size_t r = 0; r < 3; ++r) given += first[r + 1] - first[r];
  EXPECT_EQ(given, 1u);
}

/// A session as far as waves look at it: one thread, some memory, a patience, and nobody who stops it.
class EachWave : public test::FolderTest {
 protected:
  EachWave() {
    session_.stop = std::make_unique<Stop>(folder_, 0);
    session_.deck.run.part_after = 1;
    session_.memory = 1000;
    session_.rates.forward = {{1}, {5e10}};
    cost_.bytes_held = 100;
    cost_.wave_bytes = [](std::span<const corpus::Pack> packs) {
      return static_cast<std::size_t>(10 * tokens_of(packs));
    };
    for (int i = 0; i < 10; ++i) packs_.push_back(pack_of(30));
  }

  std::vector<PackRange> waves(PackRange range, const std::vector<PackRange>& there = {}) {
    std::vector<PackRange> out;
    finished_ =
        each_wave(session_, cost_, packs_, range, there, [&](PackRange wave) { out.push_back(wave); });
    return out;
  }

  parallel::Communicator world_ = parallel::Communicator::self();
  Session session_{world_, {}, 0};
  PassCost cost_;
  std::vector<corpus::Pack> packs_;
  bool finished_ = false;
};

TEST_F(EachWave, TakesAsManyPacksAsMemoryHolds) {
  EXPECT_EQ(waves({1, 9}), (std::vector<PackRange>{{1, 4}, {4, 7}, {7, 9}}));
  EXPECT_TRUE(finished_);
}

TEST_F(EachWave, TakesNoMoreThanAWaveOfTime) {
  cost_.flops_per_token = 1e9;  // 50 tokens in a second
  EXPECT_EQ(waves({0, 3}), (std::vector<PackRange>{{0, 1}, {1, 2}, {2, 3}}));
}

TEST_F(EachWave, GoesAroundTheParts) {
  EXPECT_EQ(waves({0, 9}, {{0, 2}, {4, 5}, {8, 10}}), (std::vector<PackRange>{{2, 4}, {5, 8}}));
  EXPECT_TRUE(waves({4, 5}, {{4, 5}}).empty());
  EXPECT_TRUE(finished_);
}

TEST_F(EachWave, StopsAfterTheWaveInWhichItWasAsked) {
  write("STOP", "");
  EXPECT_EQ(waves({0, 9}), (std::vector<PackRange>{{0, 3}}));
  EXPECT_FALSE(finished_);
  EXPECT_EQ(waves({0, 3}), (std::vector<PackRange>{{0, 3}}));
  EXPECT_TRUE(finished_);  // nothing was left to do
}

TEST_F(EachWave, APackThatDoesNotFitNamesTheKeys) {
  session_.memory = 300;
  test::expect_error(Exit::machine, {"30 tokens", "run.pack_tokens", "run.memory"}, [&] { waves({0, 2}); });
}

/// A device that holds two packs at a time, whatever the cost model believes.
TEST_F(EachWave, WavesThatRunOutOfMemoryGoOnWithHalfTheirPacks) {
  session_.memory = 100000;
  std::vector<PackRange> done;
  EXPECT_TRUE(each_wave(session_, cost_, packs_, {0, 10}, {}, [&](PackRange wave) {
    if (wave.second - wave.first > 2) throw device::OutOfMemory("too much");
    done.push_back(wave);
  }));
  EXPECT_EQ(done, (std::vector<PackRange>{{0, 2}, {2, 4}, {4, 6}, {6, 8}, {8, 10}}));
  EXPECT_EQ(session_.shrunken_waves, 2);  // of ten packs, of five
}

TEST_F(EachWave, APackThatRunsOutOfMemoryEndsTheJob) {
  test::expect_error(Exit::machine, {"30 tokens", "of whose 5 MiB"}, [&] {
    static_cast<void>(each_wave(session_, cost_, packs_, {0, 2}, {},
                                [](PackRange) { throw device::OutOfMemory("of whose 5 MiB 3 are free"); }));
  });
}

}  // namespace
}  // namespace incipit::command
