#include "parallel/communicator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "error.hpp"
#include "parallel/node.hpp"

namespace incipit::parallel {
namespace {

std::vector<std::int64_t> numbers(std::int64_t from, std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), from);
  return values;
}

/// How many elements rank r passes; 0 for some.
std::int64_t share_of(int rank) {
  return rank % 3 == 1 ? 0 : 5 + 7 * rank;
}

class CommunicatorTest : public testing::TestWithParam<std::int64_t> {
 protected:
  CommunicatorTest() { world_.set_message_limit(GetParam()); }
  Communicator world_ = Communicator::world();
};

// A limit below one element cuts messages in the midst of it, as counts beyond 2^31 would.
INSTANTIATE_TEST_SUITE_P(MessageLimits, CommunicatorTest, testing::Values(1, 12, 64, std::int64_t{1} << 30));

TEST_P(CommunicatorTest, BroadcastsVectorsAndTexts) {
  for (int root = 0; root < world_.size(); ++root) {
    std::vector<std::int64_t> values;
    if (world_.rank() == root) values = numbers(100 * root, 33);
    world_.broadcast(values, root);
    EXPECT_EQ(values, numbers(100 * root, 33));
    const std::string text = world_.broadcast("from rank " + std::to_string(world_.rank()), root);
    EXPECT_EQ(text, "from rank " + std::to_string(root));
  }
  EXPECT_EQ(world_.broadcast(std::string()), "");
}

TEST_P(CommunicatorTest, GathersUnequalShares) {
  std::vector<std::int64_t> expected;
  for (int rank = 0; rank < world_.size(); ++rank) {
    const auto part = numbers(1000 * rank, share_of(rank));
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(world_.all_gather(numbers(1000 * world_.rank(), share_of(world_.rank()))), expected);

  const auto texts = world_.all_gather(std::string(static_cast<std::size_t>(world_.rank()), 'x'));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world_.size()));
  for (std::size_t rank = 0; rank < texts.size(); ++rank) EXPECT_EQ(texts[rank].size(), rank);
}

TEST_P(CommunicatorTest, ExchangesAllToAll) {
  // What rank a sends to rank b: (a + 2 b) % 4 numbers starting at 1000 a + 10 b.
  const auto count = [](int a, int b) { return std::int64_t{(a + 2 * b) % 4}; };
  std::vector<std::int64_t> send, counts, expected;
  for (int peer = 0; peer < world_.size(); ++peer) {
    const auto part = numbers(1000 * world_.rank() + 10 * peer, count(world_.rank(), peer));
    send.insert(send.end(), part.begin(), part.end());
    counts.push_back(count(world_.rank(), peer));
    const auto received = numbers(1000 * peer + 10 * world_.rank(), count(peer, world_.rank()));
    expected.insert(expected.end(), received.begin(), received.end());
  }
  EXPECT_EQ(world_.all_to_all(std::span<const std::int64_t>(send), counts), expected);
}

TEST_P(CommunicatorTest, Reduces) {
  const int n = world_.size(), r = world_.rank();
  EXPECT_EQ(world_.sum(std::int64_t{r} << 33), (std::int64_t{n} * (n - 1) / 2) << 33);
  EXPECT_EQ(world_.max(std::int64_t{r}), n - 1);
  EXPECT_EQ(world_.min(std::int64_t{r} + 5), 5);
  EXPECT_EQ(world_.max(-1.5 - r), -1.5);
  EXPECT_TRUE(std::isnan(world_.max(r == n - 1 ? std::numeric_limits<double>::quiet_NaN() : 1.0)));
  EXPECT_TRUE(world_.any(r == n - 1));
  EXPECT_FALSE(world_.any(false));
}

TEST_P(CommunicatorTest, SplitsIntoTeams) {
  const int teams = 2, team = world_.rank() % teams;
  const Communicator mine = world_.split(team, -world_.rank());
  const int expected = world_.size() / teams + (team < world_.size() % teams ? 1 : 0);
  EXPECT_EQ(mine.size(), expected);
  // The key turned the order round.
  EXPECT_EQ(mine.rank(), expected - 1 - world_.rank() / teams);
  EXPECT_EQ(Communicator::self().size(), 1);
}

TEST_P(CommunicatorTest, RefusesCountsThatDoNotAddUp) {
  const Communicator self = Communicator::self();
  const std::vector<int> send(3);
  const std::vector<std::int64_t> wrong{2};
  EXPECT_THROW(static_cast<void>(self.all_to_all(std::span<const int>(send), wrong)), Error);
}

TEST(Node, SharesItsRanksAndCores) {
  const Communicator world = Communicator::world();
  const NodeShare share = node_share(world);
  // mpirun of the tests uses one machine.
  EXPECT_EQ(share.size, world.size());
  EXPECT_EQ(share.rank, world.rank());
  const int threads = default_threads(world);
  EXPECT_GE(threads, 1);
  EXPECT_GE(default_threads(Communicator::self()), threads);
}

TEST(CheckMpi, NamesTheCallAndTheReason) {
  char reason[MPI_MAX_ERROR_STRING] = "";  // in the library's own words
  int length = 0;
  MPI_Error_string(MPI_ERR_COUNT, reason, &length);
  ASSERT_GT(length, 0);
  try {
    check_mpi(MPI_ERR_COUNT, "MPI_Something");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::defect);
    EXPECT_NE(std::string(error.what()).find("MPI_Something"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos);
  }
}

}  // namespace
}  // namespace incipit::parallel
