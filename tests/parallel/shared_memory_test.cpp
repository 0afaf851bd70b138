#include "parallel/shared_memory.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>

#include "parallel/node.hpp"

namespace incipit::parallel {
namespace {

TEST(SharedMemory, AllRanksSeeTheSameZerosAndWhatEachWrites) {
  const auto node = on_this_node(Communicator::world());
  const auto memory = SharedMemory::open(node, 1000 * sizeof(std::int64_t));
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory->size(), 1000 * sizeof(std::int64_t));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->data()) % 64, 0U);
  auto* const numbers = reinterpret_cast<std::atomic<std::int64_t>*>(memory->data());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(numbers[i], 0);
  node.barrier();
  for (int i = 0; i < 1000; ++i) numbers[i] += node.rank() + 1;
  node.barrier();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(numbers[i], node.size() * (node.size() + 1) / 2);
}

TEST(SharedMemory, IsNoneWhereThereIsNoRoom) {
  const auto node = on_this_node(Communicator::world());
  EXPECT_EQ(SharedMemory::open(node, std::size_t{1} << 60U), nullptr);
}

}  // namespace
}  // namespace incipit::parallel
