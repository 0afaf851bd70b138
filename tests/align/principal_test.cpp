#include "align/principal.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data.hpp"
#include "error.hpp"

namespace incipit::align {
namespace {

using test::Matrix;
using test::noise;

/// Σ of squares of a − b, and of a − its column means.
struct Energy {
  double residual = 0, total = 0;
};
Energy energy(const Matrix& a, const std::vector<float>& b) {
  Energy out;
  for (int64_t j = 0; j < a.d; ++j) {
    double mean = 0;
    for (int64_t i = 0; i < a.n; ++i) mean += static_cast<double>(a.data[static_cast<size_t>(i * a.d + j)]);
    mean /= static_cast<double>(a.n);
    for (int64_t i = 0; i < a.n; ++i) {
      const auto at = static_cast<size_t>(i * a.d + j);
      const double x = static_cast<double>(a.data[at]);
      out.residual += std::pow(x - static_cast<double>(b[at]), 2);
      out.total += std::pow(x - mean, 2);
    }
  }
  return out;
}

TEST(PrincipalAxes, AllOfThemLeaveRowsAsTheyAre) {
  const Matrix rows = noise(700, 12, 1);
  const Energy found = energy(rows, PrincipalAxes(test::host(), rows.rows()).cut(rows.rows(), 12));
  EXPECT_LT(found.residual, 1e-9 * found.total);
}

TEST(PrincipalAxes, TheFirstHoldTheMost) {
  // Column j has the standard deviation 1 / (1 + j), far from the origin.
  Matrix rows = noise(4000, 6, 2);
  double all = 0, last = 0;
  for (size_t i = 0; i < rows.data.size(); ++i) {
    const auto j = i % 6;
    rows.data[i] = rows.data[i] / static_cast<float>(1 + j) + 10;
  }
  for (size_t j = 0; j < 6; ++j) {
    all += std::pow(1.0 / static_cast<double>(1 + j), 2);
    if (j >= 2) last += std::pow(1.0 / static_cast<double>(1 + j), 2);
  }
  const PrincipalAxes axes(test::host(), rows.rows());
  const Energy two = energy(rows, axes.cut(rows.rows(), 2)), three = energy(rows, axes.cut(rows.rows(), 3));
  EXPECT_NEAR(two.residual / two.total, last / all, 0.01);
  EXPECT_LT(three.residual, two.residual);
}

TEST(PrincipalAxes, ComeFromTheRowsGivenFirst) {
  const Matrix fit = noise(500, 4, 3), other = noise(10, 4, 4);
  const PrincipalAxes axes(test::host(), fit.rows());
  const auto once = axes.cut(other.rows(), 2);
  const auto twice = axes.cut({once, 10, 4}, 2);
  for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(once[i], twice[i], 1e-5);
  EXPECT_GT(energy(other, once).residual, 0.1);
}

TEST(PrincipalAxes, RefuseWhatDoesNotFit) {
  const Matrix rows = noise(50, 4, 5);
  const PrincipalAxes axes(test::host(), rows.rows());
  EXPECT_THROW(static_cast<void>(axes.cut(rows.rows(), 5)), Error);
  EXPECT_THROW(static_cast<void>(axes.cut(rows.rows(), 0)), Error);
  EXPECT_THROW(static_cast<void>(axes.cut({rows.data, 100, 2}, 1)), Error);
}

}  // namespace
}  // namespace incipit::align
