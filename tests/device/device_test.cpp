#include "device/device.hpp"

#include <numeric>

#include "error.hpp"
#include "every_device.hpp"

namespace incipit::device {
namespace {

class DeviceMemory : public OnEveryDevice {};

TEST_P(DeviceMemory, HoldsWhatWasUploaded) {
  for (const std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{3'000'001}}) {
    std::vector<std::int32_t> values(n);
    std::iota(values.begin(), values.end(), -5);
    const Buffer<std::int32_t> buffer(*device_, std::span<const std::int32_t>(values));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0U);
    EXPECT_EQ(buffer.download(), values);
  }
}

TEST_P(DeviceMemory, EmptyBufferIsNull) {
  Buffer<float> buffer(*device_, 0);
  buffer.zero();
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.download().empty());
}

TEST_P(DeviceMemory, ZeroAndMove) {
  const std::vector<float> values(100, 3.0F);
  Buffer<float> first(*device_, std::span<const float>(values));
  first.zero();
  Buffer<float> second = std::move(first);
  Buffer<float> third(*device_, 5);
  third = std::move(second);
  EXPECT_EQ(third.size(), 100U);
  EXPECT_EQ(third.download(), std::vector<float>(100, 0.0F));
}

TEST_P(DeviceMemory, SaysWhatItIs) {
  EXPECT_FALSE(device_->name().empty());
  EXPECT_FALSE(device_->libraries().empty());
}

TEST_P(DeviceMemory, TooMuchIsAnErrorOfTheMachine) {
  try {
    Buffer<float> buffer(*device_, std::size_t{1} << 60U);
    FAIL() << "allocated 4 EiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::machine);
  }
}

INCIPIT_ON_EVERY_DEVICE(DeviceMemory);

}  // namespace
}  // namespace incipit::device
