#include "emergence/seeds.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "emergence/random_latents.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

TEST(SeedSpread, IsNothingBetweenEqualSeeds) {
  const Spread found = spread(std::vector<double>{0.1, 0.1, 0.1});
  EXPECT_EQ(found.low, 0.1);
  EXPECT_EQ(found.mean, 0.1);  // 0.1 + 0.1 + 0.1 is more than 0.3
  EXPECT_EQ(found.high, 0.1);
}

TEST(SeedSpread, LeavesOutSeedsWithoutANumber) {
  const Spread found = spread(std::vector<double>{nan, 0.5, -0.25, nan});
  EXPECT_EQ(found.low, -0.25);
  EXPECT_EQ(found.mean, 0.125);
  EXPECT_EQ(found.high, 0.5);
  EXPECT_TRUE(std::isnan(spread(std::vector<double>{nan, nan}).mean));
  EXPECT_TRUE(std::isnan(spread({}).high));
}

TEST(RandomLatentsOfRanks, AllHaveAllAfterwards) {
  const auto comm = parallel::Communicator::world();
  RandomLatents bands("time", 5, 1, {0.5});
  for (int64_t p = comm.rank(); p < 4; p += comm.size())
    bands.set(p, Rung::rescaled, std::vector<BareShares>{{{0.5}, {static_cast<double>(p)}}});
  bands.gather(comm);
  for (int64_t p = 0; p < 4; ++p)
    EXPECT_EQ(bands.contrast(Rung::rescaled, p, 0).mean, static_cast<double>(p));
  EXPECT_TRUE(std::isnan(bands.contrast(Rung::rescaled, 4, 0).mean));
  EXPECT_TRUE(std::isnan(bands.contrast(Rung::raw, 0, 0).mean));
}

TEST(RandomLatentsOfRanks, OnePointBelongsToOneRank) {
  const auto comm = parallel::Communicator::world();
  RandomLatents bands("time", 1, 1, {0.5});
  bands.set(0, Rung::raw, std::vector<BareShares>{{{0.5}, {0.5}}});
  if (comm.size() == 1)
    EXPECT_NO_THROW(bands.gather(comm));
  else
    EXPECT_THROW(bands.gather(comm), Error);
}

}  // namespace
}  // namespace incipit::emergence
