#include "device/add_bias.hpp"

#include "every_device.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

std::vector<float> run(Device& device, std::int64_t rows, const std::vector<float>& values,
                       const std::vector<float>& bias_values) {
  Buffer<float> x(device, std::span<const float>(values));
  const Buffer<float> bias(device, std::span<const float>(bias_values));
  device.add_bias({.rows = rows,
                   .d = static_cast<std::int64_t>(values.size()) / rows,
                   .bias = bias.data(),
                   .x = x.data()});
  return x.download();
}

class AddBiasOn : public OnEveryDevice {};

TEST_P(AddBiasOn, AgreesWithPlainLoops) {
  for (const std::int64_t rows : {1, 5, 33}) {
    for (const std::size_t d : {1U, 7U, 130U}) {
      const std::vector<float> x = normals(static_cast<std::size_t>(rows) * d, 19);
      const std::vector<float> bias = normals(d, 20);
      std::vector<double> expected;
      for (std::size_t i = 0; i < x.size(); ++i) {
        expected.push_back(static_cast<double>(x[i]) + bias[i % d]);
      }
      expect_near(run(*device_, rows, x, bias), expected, 1e-6);
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(AddBiasOn);

TEST(AddBias, SameBytesForAnyThreads) {
  const std::vector<float> x = normals(std::size_t{77} * 31, 22);
  const std::vector<float> bias = normals(31, 23);
  expect_same_bytes_for_any_threads([&](Device& device) { return run(device, 77, x, bias); });
}

}  // namespace
}  // namespace incipit::device
