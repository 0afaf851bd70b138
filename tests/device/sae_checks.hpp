#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "every_device.hpp"

/// What the tests of the SAE's operations share: they are written for both precisions.
namespace incipit::device {

template <class T>
constexpr double tolerance_of = sizeof(T) == sizeof(float) ? 1e-5 : 1e-12;

template <class T>
std::vector<T> normals_of(std::int64_t n, std::uint64_t stream, double scale = 1.0) {
  const std::vector<float> values = normals(static_cast<std::size_t>(n), stream, scale);
  return {values.begin(), values.end()};
}

/// ‖actual − expected‖ ≤ tolerance · ‖expected‖; NaN fails.
template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                  const char* what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    error += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
    norm += expected[i] * expected[i];
  }
  EXPECT_TRUE(error <= tolerance * tolerance * norm + 1e-60)
      << what << ": relative error " << std::sqrt(error / norm) << ", allowed " << tolerance;
}

template <class T>
Buffer<T> on(Device& device, const std::vector<T>& values) {
  return Buffer<T>(device, std::span<const T>(values));
}

/// How many problems of one shape an operation is given at once.
inline constexpr std::int64_t problem_counts[] = {1, 2, 5};

/// One array of every problem, one behind the other, as operations take them.
template <class Problem, class T>
std::vector<T> joined(const std::vector<Problem>& problems, std::vector<T> Problem::*which) {
  std::vector<T> all;
  for (const Problem& problem : problems)
    all.insert(all.end(), (problem.*which).begin(), (problem.*which).end());
  return all;
}

/// The p-th of `problems` equal parts.
template <class T>
std::vector<T> part(const std::vector<T>& all, std::int64_t problems, std::int64_t p) {
  const auto size = static_cast<std::int64_t>(all.size()) / problems;
  return {all.begin() + p * size, all.begin() + (p + 1) * size};
}

/// Streams of random numbers apart for each problem.
inline std::uint64_t stream_of(std::int64_t problem, std::uint64_t stream) {
  return 100 * static_cast<std::uint64_t>(problem) + stream;
}

/// A batch as encode_top_k leaves it, made at random: every row keeps different latents, some values ≤ 0.
template <class T>
struct Kept {
  Kept(std::int64_t n, std::int64_t h, std::int64_t keep, std::uint64_t stream)
      : index(static_cast<std::size_t>(n * keep)), value(normals_of<T>(n * keep, stream)) {
    Random random(2, Purpose::test, stream);
    for (std::int64_t row = 0; row < n; ++row) {
      const std::vector<std::int64_t> order = permutation(h, random);
      for (std::int64_t t = 0; t < keep; ++t)
        index[static_cast<std::size_t>(row * keep + t)] =
            static_cast<std::int32_t>(order[static_cast<std::size_t>(t)]);
    }
    for (T& entry : value) entry += T(0.7);
  }
  std::vector<std::int32_t> index;  ///< n×keep
  std::vector<T> value;             ///< n×keep
};

}  // namespace incipit::device
