#include "device/latent_groups.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

class LatentGroupsOn : public OnEveryDevice {};

TEST_P(LatentGroupsOn, ListsTheGroupsOfEachLatentInOrder) {
  struct Case {
    std::int64_t n, keep, h, groups;
  };
  for (const Case& c : {Case{1, 1, 1, 1}, Case{7, 1, 1, 3}, Case{33, 3, 5, 33}, Case{700, 1, 300, 40},
                        Case{129, 32, 40, 7}}) {
    const TestCodes codes(c.n, c.keep, c.h, 41);
    const auto group = integers(c.n, c.groups, 42);
    std::vector<std::int32_t> member(static_cast<std::size_t>(c.n));
    std::iota(member.begin(), member.end(), 0);
    std::stable_sort(member.begin(), member.end(),
                     [&](std::int32_t a, std::int32_t b) { return group[a] < group[b]; });
    std::vector<std::int32_t> expected_start{0}, expected;
    for (std::int64_t j = 0; j < c.h; ++j) {
      for (const std::int32_t i : member)
        if (codes.activation(i, j) > 0) expected.push_back(group[i]);
      expected_start.push_back(static_cast<std::int32_t>(expected.size()));
    }
    const auto index = on(*device_, codes.index), member_on = on(*device_, member),
               group_on = on(*device_, group);
    const auto value = on(*device_, codes.value);
    Buffer<std::int32_t> start(*device_, expected_start.size()), list(*device_, codes.index.size());
    device_->latent_groups({.n = c.n,
                            .keep = c.keep,
                            .h = c.h,
                            .index = index.data(),
                            .value = value.data(),
                            .member = member_on.data(),
                            .group = group_on.data(),
                            .start = start.data(),
                            .list = list.data()});
    ASSERT_EQ(start.download(), expected_start) << c.n;
    auto found = list.download();
    found.resize(expected.size());
    EXPECT_EQ(found, expected) << c.n;
  }
}

INCIPIT_ON_EVERY_DEVICE(LatentGroupsOn);

}  // namespace
}  // namespace incipit::device
