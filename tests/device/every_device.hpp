#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "random.hpp"

/// What the tests of operations share: each is written once and runs on every device there is.
namespace incipit::device {

struct Candidate {
  std::string name;
  std::function<std::unique_ptr<Device>()> make;
};

/// Linked in once per build: the host with several thread counts, and what else the build knows.
std::vector<Candidate> every_device();
/// Groups of devices of one kind, which must all give the same bytes: hosts with several thread counts, and
/// other devices asked again.
std::vector<std::vector<Candidate>> devices_of_same_bytes();

class OnEveryDevice : public testing::TestWithParam<Candidate> {
 protected:
  std::unique_ptr<Device> device_ = GetParam().make();
};

inline std::string candidate_name(const testing::TestParamInfo<Candidate>& info) {
  return info.param.name;
}

/// Instantiates a suite of OnEveryDevice.
#define INCIPIT_ON_EVERY_DEVICE(suite) \
  INSTANTIATE_TEST_SUITE_P(Devices, suite, testing::ValuesIn(every_device()), candidate_name)

/// Normal random numbers times `scale`; a function of the stream.
inline std::vector<float> normals(std::size_t n, std::uint64_t stream, double scale = 1.0) {
  Random random(1, Purpose::test, stream);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(scale * random.normal());
  return values;
}

/// ‖actual − expected‖ ≤ tolerance · ‖expected‖ (plus a tiny absolute part for rows of zeros), by the largest
/// single deviation as well: no element off by more than 16 tolerances of the root mean square. NaN fails.
inline void expect_near(std::span<const float> actual, std::span<const double> expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = static_cast<double>(actual[i]) - expected[i];
    error += difference * difference;
    norm += expected[i] * expected[i];
  }
  EXPECT_TRUE(error <= tolerance * tolerance * norm + 1e-60)
      << "relative error " << std::sqrt(error / norm) << ", allowed " << tolerance;
  const double most =
      16 * tolerance * std::sqrt(norm / static_cast<double>(std::max<std::size_t>(1, actual.size())));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_TRUE(std::abs(static_cast<double>(actual[i]) - expected[i]) <= most + 1e-30)
        << "element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

}  // namespace incipit::device
