#include "device/double_layer_norm.hpp"

#include <cmath>
#include <limits>

#include "numbers.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct LayerNormProblem {
  LayerNormProblem(std::int64_t rows_, std::int64_t d_, float offset) : rows(rows_), d(d_) {
    const auto columns = static_cast<std::size_t>(d);
    x = normals(static_cast<std::size_t>(rows) * columns, 5);
    for (float& value : x) value += offset;
    for (int i = 0; i < 2; ++i) {
      weight[i] = normals(columns, 6 + static_cast<std::uint64_t>(i));
      bias[i] = normals(columns, 8 + static_cast<std::uint64_t>(i));
    }
  }
  std::int64_t rows, d;
  std::vector<float> x, weight[2], bias[2];
};

/// Both outputs, one after the other; or the first alone.
template <Number Out>
std::vector<float> run(Device& device, const LayerNormProblem& problem, bool both) {
  const Buffer<float> x(device, std::span<const float>(problem.x));
  const Buffer<float> weight_a(device, std::span<const float>(problem.weight[0]));
  const Buffer<float> bias_a(device, std::span<const float>(problem.bias[0]));
  const Buffer<float> weight_b(device, std::span<const float>(problem.weight[1]));
  const Buffer<float> bias_b(device, std::span<const float>(problem.bias[1]));
  Buffer<Out> out(device, problem.x.size() * (both ? 2 : 1));
  device.double_layer_norm(DoubleLayerNorm<Out>{.rows = problem.rows,
                                                .d = problem.d,
                                                .eps = 1e-5F,
                                                .x = x.data(),
                                                .weight_a = weight_a.data(),
                                                .bias_a = bias_a.data(),
                                                .out_a = out.data(),
                                                .weight_b = weight_b.data(),
                                                .bias_b = bias_b.data(),
                                                .out_b = both ? out.data() + problem.x.size() : nullptr});
  return from_device(out);
}

std::vector<double> reference(const LayerNormProblem& problem, bool both) {
  std::vector<double> out;
  for (int which = 0; which < (both ? 2 : 1); ++which) {
    for (std::int64_t i = 0; i < problem.rows; ++i) {
      const float* x = problem.x.data() + i * problem.d;
      double mean = 0;
      double variance = 0;
      for (std::int64_t j = 0; j < problem.d; ++j) mean += x[j] / static_cast<double>(problem.d);
      for (std::int64_t j = 0; j < problem.d; ++j) {
        variance += (x[j] - mean) * (x[j] - mean) / static_cast<double>(problem.d);
      }
      for (std::int64_t j = 0; j < problem.d; ++j) {
        const auto column = static_cast<std::size_t>(j);
        out.push_back((x[j] - mean) / std::sqrt(variance + 1e-5) * problem.weight[which][column] +
                      problem.bias[which][column]);
      }
    }
  }
  return out;
}

class DoubleLayerNormOn : public OnEveryDevice {};

TEST_P(DoubleLayerNormOn, AgreesWithPlainLoops) {
  for (const std::int64_t rows : {1, 2, 37}) {
    for (const std::int64_t d : {1, 3, 8, 15, 16, 33, 96, 768, 5121}) {
      for (const bool both : {true, false}) {
        SCOPED_TRACE(testing::Message() << rows << "x" << d << " " << both);
        const LayerNormProblem problem(rows, d, 0.3F);
        const std::vector<double> expected = reference(problem, both);
        for_every_number([&]<Number Out>() {
          expect_near(run<Out>(*device_, problem, both), expected, allowed<Out>(1e-6));
        });
      }
    }
  }
}

TEST_P(DoubleLayerNormOn, AgreesForVeryLongRows) {
  for (const std::int64_t d : {16384, 16385, 20000}) {
    const LayerNormProblem problem(2, d, 0.3F);
    const std::vector<double> expected = reference(problem, true);
    for_every_number(
        [&]<Number Out>() { expect_near(run<Out>(*device_, problem, true), expected, allowed<Out>(1e-6)); });
  }
}

TEST_P(DoubleLayerNormOn, KeepsAccuracyFarFromZero) {
  const LayerNormProblem problem(5, 300, 1000.0F);
  expect_near(run<float>(*device_, problem, true), reference(problem, true), 1e-4);
}

TEST_P(DoubleLayerNormOn, PassesNanOn) {
  LayerNormProblem problem(2, 40, 0);
  problem.x[41] = std::numeric_limits<float>::quiet_NaN();
  for_every_number([&]<Number Out>() {
    const std::vector<float> out = run<Out>(*device_, problem, false);
    EXPECT_FALSE(std::isnan(out[0]));
    EXPECT_TRUE(std::isnan(out[40]));
  });
}

INCIPIT_ON_EVERY_DEVICE(DoubleLayerNormOn);

TEST(DoubleLayerNorm, SameBytesForAnyThreads) {
  const LayerNormProblem problem(301, 97, 0);
  for_every_number([&]<Number Out>() {
    expect_same_bytes_for_any_threads([&](Device& device) { return run<Out>(device, problem, true); });
  });
}

}  // namespace
}  // namespace incipit::device
