#include "device/cross_covariance.hpp"

#include <limits>

#include "every_device.hpp"
#include "exact.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct CovarianceCase {
  std::int64_t n, d_x, d_y;
  bool with_index = false;
};

/// Rows far from the origin, as residuals are; with an index, every other one of twice as many, backwards.
struct CovarianceProblem {
  explicit CovarianceProblem(const CovarianceCase& c, double shift = 3.0)
      : rows(c.with_index ? 2 * c.n : c.n),
        x(normals(static_cast<std::size_t>(rows * c.d_x), 1)),
        y(normals(static_cast<std::size_t>(rows * c.d_y), 2)),
        mean_x(static_cast<std::size_t>(c.d_x), shift + 0.001),
        mean_y(static_cast<std::size_t>(c.d_y), -shift) {
    for (float& value : x) value += static_cast<float>(shift);
    for (float& value : y) value -= static_cast<float>(shift);
    if (c.with_index)
      for (std::int64_t i = 0; i < c.n; ++i) index.push_back(static_cast<std::int32_t>(rows - 1 - 2 * i));
  }

  [[nodiscard]] std::int64_t row(std::int64_t i) const {
    return index.empty() ? i : index[static_cast<std::size_t>(i)];
  }

  std::int64_t rows;
  std::vector<float> x, y;
  std::vector<double> mean_x, mean_y;
  std::vector<std::int32_t> index;
};

template <class T>
std::vector<double> run(Device& device, const CovarianceCase& c, const CovarianceProblem& problem) {
  const Buffer<float> x(device, std::span<const float>(problem.x));
  const Buffer<float> y(device, std::span<const float>(problem.y));
  const Buffer<double> mean_x(device, std::span<const double>(problem.mean_x));
  const Buffer<double> mean_y(device, std::span<const double>(problem.mean_y));
  const Buffer<std::int32_t> index(device, std::span<const std::int32_t>(problem.index));
  Buffer<double> out(device, static_cast<std::size_t>(c.d_x * c.d_y));
  device.cross_covariance(CrossCovariance<T>{.n = c.n,
                                             .d_x = c.d_x,
                                             .d_y = c.d_y,
                                             .x = x.data(),
                                             .y = y.data(),
                                             .index = index.data(),
                                             .mean_x = mean_x.data(),
                                             .mean_y = mean_y.data(),
                                             .out = out.data()});
  return out.download();
}

exact::Matrix reference(const CovarianceCase& c, const CovarianceProblem& problem) {
  exact::Matrix out(c.d_x, c.d_y);
  for (std::int64_t i = 0; i < c.n; ++i) {
    for (std::int64_t a = 0; a < c.d_x; ++a) {
      const double x = static_cast<double>(problem.x[static_cast<std::size_t>(problem.row(i) * c.d_x + a)]) -
                       problem.mean_x[static_cast<std::size_t>(a)];
      for (std::int64_t b = 0; b < c.d_y; ++b)
        out(a, b) +=
            x * (static_cast<double>(problem.y[static_cast<std::size_t>(problem.row(i) * c.d_y + b)]) -
                 problem.mean_y[static_cast<std::size_t>(b)]);
    }
  }
  return out;
}

/// Against √n, what the entries are like: sums of random signs.
void expect_near_reference(const std::vector<double>& found, const CovarianceCase& c,
                           const CovarianceProblem& problem, double tolerance) {
  const double size = std::sqrt(static_cast<double>(c.n * c.d_x * c.d_y));
  EXPECT_LE(exact::distance({c.d_x, c.d_y, found}, reference(c, problem)), tolerance * size);
}

class CrossCovarianceOn : public OnEveryDevice {};

TEST_P(CrossCovarianceOn, AgreesWithPlainLoops) {
  for (const bool with_index : {false, true}) {
    for (const CovarianceCase& shape : std::initializer_list<CovarianceCase>{{1, 1, 1},
                                                                             {1, 1, 40},
                                                                             {3, 17, 5},
                                                                             {100, 33, 65},
                                                                             {256, 7, 31},
                                                                             {257, 31, 7},
                                                                             {700, 64, 20},
                                                                             {40, 600, 3},
                                                                             {40, 3, 1100}}) {
      CovarianceCase c = shape;
      c.with_index = with_index;
      SCOPED_TRACE(testing::Message() << c.n << " x " << c.d_x << " x " << c.d_y << " " << with_index);
      const CovarianceProblem problem(c);
      expect_near_reference(run<float>(*device_, c, problem), c, problem, 1e-6);
      expect_near_reference(run<double>(*device_, c, problem), c, problem, 1e-14);
    }
  }
}

TEST_P(CrossCovarianceOn, FarFromTheOriginTheMeanIsTakenOffExactly) {
  const CovarianceCase c{.n = 600, .d_x = 9, .d_y = 11};
  const CovarianceProblem problem(c, 4096.0);
  expect_near_reference(run<float>(*device_, c, problem), c, problem, 1e-6);
}

/// Two thousand equal products: one running sum in fp32 would be off by far more than one of 256.
TEST_P(CrossCovarianceOn, BlocksAreAddedUpInDouble) {
  const CovarianceCase c{.n = 256 * 8, .d_x = 1, .d_y = 1};
  CovarianceProblem problem(c);
  problem.mean_x = problem.mean_y = {0.0};
  for (std::int64_t i = 0; i < c.n; ++i) {
    problem.x[static_cast<std::size_t>(i)] = i == 0 ? 16777216.0F : 1.0F;
    problem.y[static_cast<std::size_t>(i)] = 1.0F;
  }
  // The first block may lose its ones beside 2²⁴; no other may.
  const double found = run<float>(*device_, c, problem).front();
  EXPECT_GE(found, 16777216.0 + 256 * 7);
  EXPECT_LE(found, 16777216.0 + 256 * 8);
  EXPECT_EQ(run<double>(*device_, c, problem).front(), 16777216.0 + 256 * 8 - 1);
}

TEST_P(CrossCovarianceOn, OfNoRowsIsZero) {
  const CovarianceCase c{.n = 0, .d_x = 3, .d_y = 2};
  EXPECT_EQ(run<float>(*device_, c, CovarianceProblem(c)), std::vector<double>(6, 0.0));
  EXPECT_EQ(run<double>(*device_, c, CovarianceProblem(c)), std::vector<double>(6, 0.0));
}

TEST_P(CrossCovarianceOn, OfRowsThatEqualTheMeanIsZero) {
  const CovarianceCase c{.n = 300, .d_x = 3, .d_y = 4};
  CovarianceProblem problem(c);
  problem.x.assign(problem.x.size(), 0.1F);
  problem.mean_x.assign(problem.mean_x.size(), static_cast<double>(0.1F));
  EXPECT_EQ(run<float>(*device_, c, problem), std::vector<double>(12, 0.0));
  EXPECT_EQ(run<double>(*device_, c, problem), std::vector<double>(12, 0.0));
}

TEST_P(CrossCovarianceOn, WhatIsNotFiniteStaysSo) {
  const CovarianceCase c{.n = 300, .d_x = 5, .d_y = 4};
  CovarianceProblem problem(c);
  problem.x[static_cast<std::size_t>(299 * c.d_x + 2)] = std::numeric_limits<float>::quiet_NaN();
  problem.y[static_cast<std::size_t>(7 * c.d_y + 1)] = std::numeric_limits<float>::infinity();
  for (const auto& found : {run<float>(*device_, c, problem), run<double>(*device_, c, problem)}) {
    for (std::int64_t a = 0; a < c.d_x; ++a)
      for (std::int64_t b = 0; b < c.d_y; ++b)
        EXPECT_EQ(std::isfinite(found[static_cast<std::size_t>(a * c.d_y + b)]), a != 2 && b != 1);
  }
}

INCIPIT_ON_EVERY_DEVICE(CrossCovarianceOn);

TEST(CrossCovariance, SameBytesForAnyThreads) {
  const CovarianceCase c{.n = 530, .d_x = 601, .d_y = 40};
  const CovarianceProblem problem(c);
  expect_same_bytes_for_any_threads([&](Device& device) { return run<float>(device, c, problem); });
  expect_same_bytes_for_any_threads([&](Device& device) { return run<double>(device, c, problem); });
}

}  // namespace
}  // namespace incipit::device
