#include "device/count_nonfinite.hpp"

#include <limits>

#include "every_device.hpp"

namespace incipit::device {
namespace {

class CountNonfiniteOn : public OnEveryDevice {};

TEST_P(CountNonfiniteOn, CountsNanAndInfinityByRow) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t d : {1, 7, 8, 33, 1000}) {
    std::vector<float> x = normals(static_cast<std::size_t>(6 * d), 24);
    const auto at = [&](std::int64_t row, std::int64_t column) -> float& {
      return x[static_cast<std::size_t>(row * d + column)];
    };
    at(1, d - 1) = nan;
    at(2, 0) = infinity;
    at(3, d / 2) = -infinity;
    at(4, 0) = std::numeric_limits<float>::max();
    for (std::int64_t j = 0; j < d; ++j) at(5, j) = -nan;
    const Buffer<float> x_buffer(*device_, std::span<const float>(x));
    Buffer<std::int32_t> counts(*device_, 6);
    device_->count_nonfinite({.rows = 6, .d = d, .x = x_buffer.data(), .counts = counts.data()});
    EXPECT_EQ(counts.download(), (std::vector<std::int32_t>{0, 1, 1, 1, 0, static_cast<std::int32_t>(d)}));
  }
}

INCIPIT_ON_EVERY_DEVICE(CountNonfiniteOn);

}  // namespace
}  // namespace incipit::device
