#include "device/sae_dead.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeDeadOn : public OnEveryDevice {};

TEST_P(SaeDeadOn, OnlyFiringAmongTheKeptKCounts) {
  // Row 0 keeps latents 4 and 2 (k = 1: only 4 counts); row 1 keeps 1, whose value is not above 0.
  const Buffer<std::int32_t> index = on(*device_, std::vector<std::int32_t>{4, 2, 1, 0});
  const Buffer<double> value = on(*device_, std::vector<double>{1.5, 1.0, 0.0, -1.0});
  Buffer<std::int64_t> idle = on(*device_, std::vector<std::int64_t>{10, 11, 12, 13, 14});
  device_->sae_idle(SaeIdle<double>{
      .n = 2, .h = 5, .k = 1, .keep = 2, .index = index.data(), .value = value.data(), .idle = idle.data()});
  EXPECT_EQ(idle.download(), (std::vector<std::int64_t>{12, 13, 14, 15, 0}));
}

TEST_P(SaeDeadOn, ProblemsCountForThemselves) {
  // Two problems of two rows and three latents; k = keep = 1.
  const Buffer<std::int32_t> index = on(*device_, std::vector<std::int32_t>{0, 0, 2, 1});
  const Buffer<float> value = on(*device_, std::vector<float>{1, 1, 1, -1});
  Buffer<std::int64_t> idle = on(*device_, std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
  device_->sae_idle(SaeIdle<float>{.problems = 2,
                                   .n = 2,
                                   .h = 3,
                                   .k = 1,
                                   .keep = 1,
                                   .index = index.data(),
                                   .value = value.data(),
                                   .idle = idle.data()});
  EXPECT_EQ(idle.download(), (std::vector<std::int64_t>{0, 4, 5, 6, 7, 0}));
}

/// The latents of each problem, which its own patience calls dead.
void check_list(Device& device, std::int64_t problems, std::int64_t h) {
  Random random(3, Purpose::test, static_cast<std::uint64_t>(h));
  std::vector<std::int64_t> idle(static_cast<std::size_t>(problems * h));
  for (std::int64_t& samples : idle) samples = static_cast<std::int64_t>(random.below(100));
  for (const std::int64_t least : {0, 50, 100}) {
    std::vector<std::int64_t> dead_after;
    for (std::int64_t p = 0; p < problems; ++p)
      dead_after.push_back(std::max<std::int64_t>(0, least - 10 * p));
    const Buffer<std::int64_t> idle_on = on(device, idle);
    const Buffer<std::int64_t> dead_after_on = on(device, dead_after);
    Buffer<std::int32_t> dead(device, idle.size());
    Buffer<std::int64_t> count(device, dead_after.size());
    device.sae_dead({.problems = problems,
                     .h = h,
                     .dead_after = dead_after_on.data(),
                     .idle = idle_on.data(),
                     .dead = dead.data(),
                     .count = count.data()});
    for (std::int64_t p = 0; p < problems; ++p) {
      std::vector<std::int32_t> expected;
      for (std::int64_t j = 0; j < h; ++j)
        if (idle[p * h + j] >= dead_after[p]) expected.push_back(static_cast<std::int32_t>(j));
      ASSERT_EQ(count.download()[p], static_cast<std::int64_t>(expected.size()));
      std::vector<std::int32_t> found = part(dead.download(), problems, p);
      found.resize(expected.size());
      EXPECT_EQ(found, expected);
    }
  }
}

TEST_P(SaeDeadOn, ListsTheIdleInOrder) {
  for (const std::int64_t problems : problem_counts)
    for (const std::int64_t h : {1, 5, 700, 3000}) check_list(*device_, problems, h);
}

INCIPIT_ON_EVERY_DEVICE(SaeDeadOn);

}  // namespace
}  // namespace incipit::device
