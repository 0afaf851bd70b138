#include "device/draw_resampling.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

struct DrawResamplingShape {
  std::int64_t lists, groups, size, draws;
};

constexpr std::uint64_t seed = 0x123456789abcdef0;

/// Each group in one of the lists, some of which may be empty.
TestLists partition(std::int64_t lists, std::int64_t groups) {
  const auto list_of = integers(groups, lists, 71);
  TestLists out;
  for (std::int64_t l = 0; l < lists; ++l) {
    for (std::int64_t g = 0; g < groups; ++g)
      if (list_of[g] == l) out.item.push_back(static_cast<std::int32_t>(g));
    out.start.push_back(std::ssize(out.item));
  }
  return out;
}

constexpr DrawResamplingShape resampling_shapes[] = {
    {1, 1, 1, 1}, {3, 40, 2, 5}, {14, 60, 1, 100}, {5, 300, 3, 33}};

class DrawResamplingOn : public OnEveryDevice {};

TEST_P(DrawResamplingOn, BootstrapDrawsTheNumbersOfTheStreams) {
  for (const DrawResamplingShape& c : resampling_shapes) {
    const TestLists subjects = partition(c.lists, c.groups);
    std::vector<std::int32_t> expected(c.groups * c.draws, 0);
    for (std::int64_t b = 0; b < c.draws; ++b) {
      Random random(seed, Purpose::bootstrap, static_cast<std::uint64_t>(b));
      for (std::int64_t l = 0; l < c.lists; ++l) {
        const auto groups = subjects.of(l);
        for (std::size_t draw = 0; draw < groups.size(); ++draw)
          ++expected[groups[random.below(groups.size())] * c.draws + b];
      }
    }
    const auto start = on(*device_, subjects.start);
    const auto group = on(*device_, subjects.item);
    Buffer<std::int32_t> weight(*device_, expected.size());
    for (int run = 0; run < 2; ++run)  // nothing is left over from before
      device_->draw_bootstrap({.groups = c.groups,
                               .subjects = c.lists,
                               .draws = c.draws,
                               .seed = seed,
                               .start = start.data(),
                               .group = group.data(),
                               .weight = weight.data()});
    EXPECT_EQ(weight.download(), expected) << c.groups;
  }
}

TEST_P(DrawResamplingOn, PermutationsMoveTheSubjectsOfWholeGroups) {
  for (const DrawResamplingShape& c : resampling_shapes) {
    const TestLists cells = partition(c.lists, c.groups);
    // Groups of cell l have 1 + l % size probes, which lie anywhere.
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(c.groups)), member_start{0};
    for (std::int64_t l = 0; l < c.lists; ++l)
      for (const std::int32_t g : cells.of(l)) sizes[g] = 1 + l % c.size;
    for (const std::int64_t size : sizes) member_start.push_back(member_start.back() + size);
    const std::int64_t n = member_start.back();
    Random shuffle(seed, Purpose::test, 0);
    const auto places = permutation(n, shuffle);
    const std::vector<std::int32_t> member(places.begin(), places.end());
    const auto subject = integers(n, 5, 72), group_subject = integers(c.groups, 5, 73);

    std::vector<std::int32_t> label(n * c.draws, -1), group_label(c.groups * c.draws, -1);
    for (std::int64_t p = 0; p < c.draws; ++p) {
      Random random(seed, Purpose::permutation, static_cast<std::uint64_t>(p));
      for (std::int64_t l = 0; l < c.lists; ++l) {
        const auto groups = cells.of(l);
        const auto order = permutation(std::ssize(groups), random);
        for (std::size_t at = 0; at < groups.size(); ++at) {
          const std::int32_t to = groups[at], from = groups[order[at]];
          group_label[to * c.draws + p] = group_subject[from];
          for (std::int64_t i = 0; i < sizes[to]; ++i)
            label[member[member_start[to] + i] * c.draws + p] = subject[member[member_start[from] + i]];
        }
      }
    }
    const auto start = on(*device_, cells.start), member_start_on = on(*device_, member_start);
    const auto group = on(*device_, cells.item), member_on = on(*device_, member),
               subject_on = on(*device_, subject), group_subject_on = on(*device_, group_subject);
    Buffer<std::int32_t> label_on(*device_, label.size()), group_label_on(*device_, group_label.size());
    device_->draw_permutations({.n = n,
                                .groups = c.groups,
                                .cells = c.lists,
                                .draws = c.draws,
                                .seed = seed,
                                .start = start.data(),
                                .group = group.data(),
                                .member_start = member_start_on.data(),
                                .member = member_on.data(),
                                .subject = subject_on.data(),
                                .group_subject = group_subject_on.data(),
                                .label = label_on.data(),
                                .group_label = group_label_on.data()});
    EXPECT_EQ(label_on.download(), label) << c.groups;
    EXPECT_EQ(group_label_on.download(), group_label) << c.groups;
  }
}

INCIPIT_ON_EVERY_DEVICE(DrawResamplingOn);

}  // namespace
}  // namespace incipit::device
