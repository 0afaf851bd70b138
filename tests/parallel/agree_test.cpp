#include "parallel/agree.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

namespace incipit::parallel {
namespace {

std::optional<Agreed> outcome(const Communicator& comm, const std::function<void()>& f) {
  try {
    together(comm, "reading", f);
  } catch (const Agreed& agreed) {
    return agreed;
  }
  return std::nullopt;
}

TEST(Agree, PassesWhenNobodyFails) {
  const Communicator world = Communicator::world();
  EXPECT_FALSE(outcome(world, [] {}).has_value());
}

TEST(Agree, OneFailingRankTellsAllAndSpeaksAlone) {
  const Communicator world = Communicator::world();
  for (int failing = 0; failing < world.size(); ++failing) {
    const auto agreed = outcome(world, [&] {
      if (world.rank() == failing) throw Error(Exit::data, "file " + std::to_string(failing) + " is bad");
    });
    ASSERT_TRUE(agreed.has_value());
    EXPECT_EQ(agreed->code(), Exit::data);
    EXPECT_EQ(std::string(agreed->what()), "reading: file " + std::to_string(failing) + " is bad");
    EXPECT_EQ(agreed->speaker(), world.rank() == failing);
  }
}

TEST(Agree, TheLowestOfSeveralCounts) {
  const Communicator world = Communicator::world();
  const int lowest = world.size() > 1 ? 1 : 0;
  const auto agreed = outcome(world, [&] {
    if (world.rank() == lowest) throw Error(Exit::io, "disk full");
    if (world.rank() > lowest) throw Error(Exit::numbers, "NaN");
  });
  ASSERT_TRUE(agreed.has_value());
  EXPECT_EQ(agreed->code(), Exit::io);
  EXPECT_EQ(world.sum(agreed->speaker() ? 1 : 0), 1);
}

TEST(Agree, ExplainsForeignExceptions) {
  const Communicator world = Communicator::world();
  const auto memory = outcome(world, [] { throw std::bad_alloc(); });
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->code(), Exit::machine);
  const auto foreign = outcome(world, [] { throw std::out_of_range("index 7"); });
  ASSERT_TRUE(foreign.has_value());
  EXPECT_EQ(foreign->code(), Exit::defect);
  EXPECT_NE(std::string(foreign->what()).find("index 7"), std::string::npos);
  const auto strange = outcome(world, [] { throw 7; });
  ASSERT_TRUE(strange.has_value());
  EXPECT_EQ(strange->code(), Exit::defect);
}

TEST(AgreeAlike, GivesTheLargestValueOfRanksThatDoTheSame) {
  const Communicator world = Communicator::world();
  EXPECT_EQ(agree_alike(world, "write x", 7, std::int64_t{1} << (40 + world.rank())),
            std::int64_t{1} << (39 + world.size()));
}

TEST(AgreeAlike, FindsRanksThatDoSomethingElse) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "needs two ranks";
  const bool last = world.rank() == world.size() - 1;
  const auto agreed = outcome(
      world, [&] { static_cast<void>(agree_alike(world, last ? "write y" : "write x", last ? 8 : 7, 0)); });
  ASSERT_TRUE(agreed.has_value());
  EXPECT_EQ(agreed->code(), Exit::defect);
  EXPECT_STREQ(agreed->what(), "ranks do different things; rank 0: write x");
  EXPECT_EQ(agreed->speaker(), world.root());
}

TEST(AgreeAlike, LearnsOfARankThatFailedOnTheWay) {
  const Communicator world = Communicator::world();
  const bool last = world.rank() == world.size() - 1;
  const auto agreed = outcome(world, [&] {
    if (last) throw Error(Exit::data, "bad");
    static_cast<void>(agree_alike(world, "write x", 7, 0));
  });
  ASSERT_TRUE(agreed.has_value());
  EXPECT_EQ(agreed->code(), Exit::data);
  EXPECT_STREQ(agreed->what(), "reading: bad");
  EXPECT_EQ(world.sum(agreed->speaker() ? 1 : 0), 1);
}

TEST(Agree, NestsOverTheSameAndOverASmallerCommunicator) {
  const Communicator world = Communicator::world();
  const auto fail_on_last = [&] {
    if (world.rank() == world.size() - 1) throw Error(Exit::data, "bad");
  };
  const auto same = outcome(world, [&] { together(world, "inner", fail_on_last); });
  ASSERT_TRUE(same.has_value());
  EXPECT_STREQ(same->what(), "inner: bad");
  EXPECT_EQ(same->speaker(), world.rank() == world.size() - 1);

  const Communicator team = world.split(world.rank() % 2, 0);
  const auto outer = outcome(world, [&] { together(team, "inner", fail_on_last); });
  ASSERT_TRUE(outer.has_value());
  EXPECT_STREQ(outer->what(), "inner: bad");
  EXPECT_EQ(world.sum(outer->speaker() ? 1 : 0), 1);
}

}  // namespace
}  // namespace incipit::parallel
