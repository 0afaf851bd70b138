#include "device/gather_rows.hpp"

#include "every_device.hpp"

namespace incipit::device {
namespace {

class GatherRowsOn : public OnEveryDevice {};

TEST_P(GatherRowsOn, CopiesRowsInTheOrderAsked) {
  for (const std::int64_t d : {1, 7, 64, 1000}) {
    const std::vector<float> in = normals(static_cast<std::size_t>(20 * d), 4);
    const std::vector<std::int32_t> index = {19, 0, 3, 3, 7};
    const Buffer<float> in_buffer(*device_, std::span<const float>(in));
    const Buffer<std::int32_t> index_buffer(*device_, std::span<const std::int32_t>(index));
    Buffer<float> out(*device_, index.size() * static_cast<std::size_t>(d));
    device_->gather_rows(
        {.rows = 5, .d = d, .in = in_buffer.data(), .index = index_buffer.data(), .out = out.data()});
    std::vector<float> expected;
    for (const std::int32_t row : index)
      expected.insert(expected.end(), in.begin() + row * d, in.begin() + (row + 1) * d);
    EXPECT_EQ(out.download(), expected);
  }
}

INCIPIT_ON_EVERY_DEVICE(GatherRowsOn);

}  // namespace
}  // namespace incipit::device
