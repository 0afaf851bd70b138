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

TEST_P(SaeDeadOn, ListsTheIdleInOrder) {
  for (const std::int64_t h : {1, 5, 700, 3000}) {
    Random random(3, Purpose::test, static_cast<std::uint64_t>(h));
    std::vector<std::int64_t> idle(static_cast<std::size_t>(h));
    for (std::int64_t& samples : idle) samples = static_cast<std::int64_t>(random.below(100));
    for (const std::int64_t dead_after : {0, 50, 100}) {
      const Buffer<std::int64_t> idle_on = on(*device_, idle);
      Buffer<std::int32_t> dead(*device_, idle.size());
      Buffer<std::int64_t> count(*device_, 1);
      device_->sae_dead({.h = h,
                         .dead_after = dead_after,
                         .idle = idle_on.data(),
                         .dead = dead.data(),
                         .count = count.data()});
      std::vector<std::int32_t> expected;
      for (std::int64_t j = 0; j < h; ++j)
        if (idle[j] >= dead_after) expected.push_back(static_cast<std::int32_t>(j));
      ASSERT_EQ(count.download()[0], static_cast<std::int64_t>(expected.size()));
      std::vector<std::int32_t> found = dead.download();
      found.resize(expected.size());
      EXPECT_EQ(found, expected);
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(SaeDeadOn);

}  // namespace
}  // namespace incipit::device
