#include "parallel/links.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <functional>

namespace incipit::parallel {
namespace {

Standing standing(std::int32_t rank, std::int64_t arrivals, std::int64_t quiet, const char* phase) {
  Standing one;
  one.quiet = quiet;
  one.arrivals = arrivals;
  one.ranks = one.behind = 1;
  one.first[0] = rank;
  std::strncpy(one.phase.data(), phase, one.phase.size() - 1);
  return one;
}

TEST(Standing, NamesThoseFurthestBehind) {
  Standing all;
  all.add(standing(3, 7, 900, "train"));
  all.add(standing(2, 8, 40, "waiting"));
  all.add(standing(1, 7, 500, "read"));
  all.add(standing(0, 9, 600, "waiting"));
  EXPECT_EQ(all.quiet, 40);
  EXPECT_EQ(all.ranks, 4);
  EXPECT_EQ(all.behind, 2);
  EXPECT_EQ(all.arrivals, 7);
  EXPECT_EQ(all.first[0], 1);
  EXPECT_EQ(all.first[1], 3);
  EXPECT_EQ(all.first[2], -1);
  EXPECT_STREQ(all.phase.data(), "read");
  all.add(Standing{});
  EXPECT_EQ(all.ranks, 4);
}

TEST(Standing, KeepsTheLowestOfMany) {
  Standing all;
  for (int rank = 20; rank-- > 0;) all.add(standing(rank, 1, 0, "read"));
  EXPECT_EQ(all.behind, 20);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(all.first[static_cast<std::size_t>(i)], i);
}

TEST(Roster, ShowsTheRanksOfANodeToEachOther) {
  const Communicator world = Communicator::world();
  const auto roster = Roster::open(world, 10 + world.rank());
  ASSERT_TRUE(roster);
  roster->mine().set_phase("phase " + std::to_string(world.rank()) + std::string(100, '.'));
  roster->mine().arrivals = world.rank();
  world.barrier();
  for (int rank = 0; rank < world.size(); ++rank) {
    EXPECT_EQ(roster->entry(rank).rank, 10 + rank);
    EXPECT_EQ(roster->entry(rank).phase[6], static_cast<char>('0' + rank));
    EXPECT_FALSE(roster->gone(rank));
    EXPECT_NE(roster->process(rank), 0);
  }
  EXPECT_EQ(roster->standing().ranks, world.size());
  EXPECT_EQ(roster->standing().behind, 1);
  EXPECT_EQ(roster->standing().first[0], 10);
  world.barrier();
  roster->mine().left = 1;
  world.barrier();
  EXPECT_EQ(roster->standing().ranks, 0);
}

/// Listens until something holds or five seconds have passed.
bool until(Links& links, const std::function<bool(const Links::News&)>& holds) {
  const int never = eventfd(0, EFD_CLOEXEC);
  bool held = false;
  for (const auto begin = Roster::now(); !held && Roster::now() < begin + 5000;) {
    held = holds(links.listen());
    if (!held) links.pause(20, never);
  }
  close(never);
  return held;
}

TEST(Links, TellEachNodeHowAllOthersStand) {
  const Communicator world = Communicator::world();  // each rank as if it were a node
  const auto links = Links::connect(world, 10);
  ASSERT_TRUE(links);
  const Standing mine = standing(world.rank(), 5 + world.rank(), 1000 * world.rank(), "read");
  const auto others_known = [&](const Links::News&) {
    links->tell(mine);
    return links->elsewhere().ranks == world.size() - 1;
  };
  EXPECT_TRUE(until(*links, others_known));
  if (world.size() > 1) {
    const int first_other = world.root() ? 1 : 0;
    EXPECT_EQ(links->elsewhere().first[0], first_other);
    EXPECT_GE(links->elsewhere().quiet, 1000 * first_other);
    EXPECT_LT(links->elsewhere().quiet, 1000 * first_other + 5000);
  }
  world.barrier();
  links->say_goodbye();
}

TEST(Links, PassAVerdictOnToAll) {
  const Communicator world = Communicator::world();
  const auto links = Links::connect(world, 10);
  ASSERT_TRUE(links);
  if (world.rank() == world.size() - 1) {
    links->pass_on(76);
  } else {
    EXPECT_TRUE(until(*links, [](const Links::News& news) { return news.verdict == 76; }));
    links->pass_on(76);
  }
  world.barrier();
}

TEST(Links, TellOfALostNodeButNotOfAGoodbye) {
  const Communicator world = Communicator::world();
  for (const bool goodbye : {false, true}) {
    for (int leaving = 0; leaving < world.size(); ++leaving) {
      auto links = Links::connect(world, 10);
      ASSERT_TRUE(links);
      const int node = world.rank();
      const bool neighbour = node != leaving && ((node - 1) / 2 == leaving || (leaving - 1) / 2 == node) &&
                             !(leaving == 0 && node == 0);
      if (node == leaving) {
        if (goodbye) links->say_goodbye();
        links.reset();
      } else {
        Links::News seen;
        const auto lost = [&](const Links::News& news) {
          if (news.lost) seen = news;
          return news.lost;
        };
        if (goodbye || !neighbour) {
          world.barrier();
          EXPECT_FALSE(lost(links->listen()));
        } else {
          EXPECT_TRUE(until(*links, lost));
          EXPECT_EQ(seen.to_tell, leaving == 0 ? node == 1 : node == (leaving - 1) / 2);
          world.barrier();
        }
      }
      if (node == leaving) world.barrier();
      world.barrier();
    }
  }
}

}  // namespace
}  // namespace incipit::parallel
