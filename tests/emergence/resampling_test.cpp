#include "emergence/resampling.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "../device/every_device.hpp"
#include "data.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

/// What was drawn, on the host.
struct Drawn {
  explicit Drawn(const Resampling& from)
      : bootstrap(from.bootstrap),
        permutations(from.permutations),
        exchangeable(from.exchangeable),
        weight(from.weight.download()),
        label(from.label.download()),
        group_label(from.group_label.download()) {}

  [[nodiscard]] const int32_t* weights(int64_t group) const { return weight.data() + group * bootstrap; }
  [[nodiscard]] const int32_t* labels(int64_t probe) const { return label.data() + probe * permutations; }
  [[nodiscard]] const int32_t* group_labels(int64_t group) const {
    return group_label.data() + group * permutations;
  }

  int64_t bootstrap, permutations;
  double exchangeable;
  std::vector<int32_t> weight, label, group_label;
};

TEST(Resampling, DrawsGroupsWithinSubjects) {
  const JudgeSet judge = test::judge_set(3, 11, {1, 2, 4});
  const Drawn drawn(make_resampling(test::host(), judge, {50, 0}, 1));
  for (int64_t b = 0; b < 50; ++b) {
    std::vector<int64_t> total(3, 0);
    for (int64_t g = 0; g < judge.groups(); ++g)
      total[static_cast<size_t>(judge.group_subject[static_cast<size_t>(g)])] += drawn.weights(g)[b];
    ASSERT_EQ(total, judge.groups_of);
  }
}

TEST(Resampling, PermutesWholeGroupsOfEqualSizeWithinStrata) {
  JudgeSet judge = test::judge_set(4, 12, {1, 3, 3});
  for (int64_t g = 0; g < judge.groups(); ++g)
    judge.group_stratum[static_cast<size_t>(g)] = static_cast<int32_t>(g % 2);
  const Drawn drawn(make_resampling(test::host(), judge, {0, 40}, 1));
  std::set<int32_t> seen;
  for (int64_t p = 0; p < 40; ++p) {
    std::map<std::vector<int64_t>, int64_t> before, after;  // (stratum, size, subject)
    for (int64_t g = 0; g < judge.groups(); ++g) {
      const auto at = static_cast<size_t>(g);
      const int64_t size = judge.member_start[at + 1] - judge.member_start[at];
      const int32_t label = drawn.group_labels(g)[p];
      ++before[{judge.group_stratum[at], size, judge.group_subject[at]}];
      ++after[{judge.group_stratum[at], size, label}];
      for (int64_t i = judge.member_start[at]; i < judge.member_start[at + 1]; ++i)
        ASSERT_EQ(drawn.labels(judge.member[static_cast<size_t>(i)])[p], label);
      if (g == 0) seen.insert(label);
    }
    ASSERT_EQ(before, after);
  }
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(drawn.exchangeable, 1.0);
}

TEST(Resampling, MovesTheSubjectsOfMixedGroupsProbeByProbe) {
  const std::vector<int32_t> subject = {0, 1, 1, 1}, group = {0, 0, 1, 1}, group_subject = {0, 1};
  const JudgeSet judge = make_judge_set(2, subject, group, group_subject);
  const Drawn drawn(make_resampling(test::host(), judge, {0, 64}, 3));
  int64_t swapped = 0;
  for (int64_t p = 0; p < 64; ++p) {
    const std::vector<int32_t> labels = {drawn.labels(0)[p], drawn.labels(1)[p], drawn.labels(2)[p],
                                         drawn.labels(3)[p]};
    const bool moved = drawn.group_labels(0)[p] == 1;
    ASSERT_EQ(labels, moved ? (std::vector<int32_t>{1, 1, 0, 1}) : subject);
    swapped += moved ? 1 : 0;
  }
  EXPECT_GT(swapped, 15);
  EXPECT_LT(swapped, 49);
}

TEST(Resampling, ADrawDependsOnSeedAndNumberAlone) {
  const JudgeSet judge = test::judge_set(3, 7, {2});
  const Drawn few(make_resampling(test::host(), judge, {5, 4}, 9)),
      many(make_resampling(test::host(), judge, {20, 30}, 9)),
      other(make_resampling(test::host(), judge, {5, 4}, 10));
  for (int64_t g = 0; g < judge.groups(); ++g) {
    for (int64_t b = 0; b < 5; ++b) ASSERT_EQ(few.weights(g)[b], many.weights(g)[b]);
    for (int64_t p = 0; p < 4; ++p) ASSERT_EQ(few.group_labels(g)[p], many.group_labels(g)[p]);
  }
  EXPECT_NE(few.weight, other.weight);
  EXPECT_NE(few.label, other.label);
}

TEST(Resampling, SaysWhenNothingCanBeExchanged) {
  const std::vector<int32_t> subject = {0, 1, 1}, group = {0, 1, 1}, group_subject = {0, 1};
  const JudgeSet judge = make_judge_set(2, subject, group, group_subject);
  const Drawn drawn(make_resampling(test::host(), judge, {2, 5}, 1));
  EXPECT_EQ(drawn.exchangeable, 0.0);
  for (int64_t p = 0; p < 5; ++p) EXPECT_EQ(drawn.labels(0)[p], 0);
  EXPECT_THROW((void)make_resampling(test::host(), judge, {-1, 5}, 1), Error);
}

TEST(Resampling, IsTheSameOnEveryDevice) {
  JudgeSet judge = test::judge_set(4, 12, {1, 3, 3});
  for (int64_t g = 0; g < judge.groups(); ++g)
    judge.group_stratum[static_cast<size_t>(g)] = static_cast<int32_t>(g % 2);
  const Resampling expected = make_resampling(test::host(), judge, {40, 30}, 5);
  for (const auto& candidate : device::every_device()) {
    const auto device = candidate.make();
    const Resampling found = make_resampling(*device, judge, {40, 30}, 5);
    EXPECT_EQ(found.weight.download(), expected.weight.download()) << candidate.name;
    EXPECT_EQ(found.label.download(), expected.label.download()) << candidate.name;
    EXPECT_EQ(found.group_label.download(), expected.group_label.download()) << candidate.name;
    EXPECT_EQ(found.sizes, expected.sizes) << candidate.name;
  }
}

}  // namespace
}  // namespace incipit::emergence
