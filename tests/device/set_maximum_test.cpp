#include "device/set_maximum.hpp"

#include <limits>

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

class SetMaximumOn : public OnEveryDevice {};

TEST_P(SetMaximumOn, IsTheLargestOfEachSet) {
  struct Case {
    std::int64_t rows, h, sets, stride;
  };
  for (const Case& c : {Case{1, 1, 1, 1}, Case{3, 1, 4, 5}, Case{70, 33, 14, 70}, Case{5, 300, 1, 9}}) {
    auto z = normals(static_cast<std::size_t>(c.rows * c.h), 31);
    z.back() = std::numeric_limits<float>::infinity();
    const TestLists sets = random_lists(c.sets, c.h, 0.3, 32);
    std::vector<float> expected(c.sets * c.stride, 7.0F);
    for (std::int64_t s = 0; s < c.sets; ++s)
      for (std::int64_t i = 0; i < c.rows; ++i) {
        float& largest = expected[s * c.stride + i] = -std::numeric_limits<float>::infinity();
        for (const std::int32_t j : sets.of(s)) largest = std::max(largest, z[i * c.h + j]);
      }
    const auto z_on = on(*device_, z);
    const auto start = on(*device_, sets.start);
    const auto latent = on(*device_, sets.item);
    auto out = on(*device_, std::vector<float>(c.sets * c.stride, 7.0F));
    device_->set_maximum({.rows = c.rows,
                          .h = c.h,
                          .sets = c.sets,
                          .stride = c.stride,
                          .z = z_on.data(),
                          .start = start.data(),
                          .latent = latent.data(),
                          .out = out.data()});
    EXPECT_EQ(out.download(), expected) << c.rows;
  }
}

INCIPIT_ON_EVERY_DEVICE(SetMaximumOn);

}  // namespace
}  // namespace incipit::device
