#include "interpret/ridge.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "random.hpp"

namespace incipit::interpret {
namespace {

/// Gaussian elimination with pivoting, plain.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t p = c;
    for (std::size_t r = c; r < n; ++r) p = std::abs(a[r * n + c]) > std::abs(a[p * n + c]) ? r : p;
    for (std::size_t k = 0; k < n; ++k) std::swap(a[c * n + k], a[p * n + k]);
    std::swap(b[c], b[p]);
    for (std::size_t r = 0; r < n; ++r) {
      if (r == c) continue;
      const double f = a[r * n + c] / a[c * n + c];
      for (std::size_t k = c; k < n; ++k) a[r * n + k] -= f * a[c * n + k];
      b[r] -= f * b[c];
    }
  }
  for (std::size_t i = 0; i < n; ++i) b[i] /= a[i * n + i];
  return b;
}

struct Problem {
  std::size_t n;
  std::vector<double> gram, target, weight;
  std::vector<int32_t> group;

  Problem(std::size_t samples, uint64_t seed) : n(samples), gram(n * n) {
    Random random(seed, Purpose::test, n);
    std::vector<double> x(n * 3);
    for (double& value : x) value = random.normal();
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < 3; ++k) gram[i * n + j] += x[i * 3 + k] * x[j * 3 + k];
      }
      target.push_back(i == 0 || (i > 1 && x[i * 3] > 0) ? 1 : -1);
      weight.push_back(0.5 + random.uniform());
      group.push_back(static_cast<int32_t>(random.below(1 + n / 2)));
    }
  }

  /// Coefficients from the samples of other groups alone, applied to sample i.
  [[nodiscard]] double refit(std::size_t i, double penalty) const {
    std::vector<std::size_t> rest;
    for (std::size_t j = 0; j < n; ++j) {
      if (group[j] != group[i]) rest.push_back(j);
    }
    std::vector<double> a, b;
    for (const std::size_t r : rest) {
      for (const std::size_t c : rest) a.push_back(gram[r * n + c] + 1 + (r == c ? penalty / weight[r] : 0));
      b.push_back(target[r]);
    }
    const std::vector<double> alpha = solve(a, b);
    double sum = 0;
    for (std::size_t r = 0; r < rest.size(); ++r) sum += alpha[r] * (gram[i * n + rest[r]] + 1);
    return sum;
  }
};

TEST(Ridge, LeavingGroupsOutInClosedFormIsFittingAgain) {
  for (const std::size_t n : {2U, 3U, 7U, 30U}) {
    const Problem p(n, 4);
    for (const double penalty : {0.1, 1.0, 10.0}) {
      const LeftOut left = leave_groups_out(p.gram, p.target, p.weight, p.group, penalty);
      for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(left.prediction[i], p.refit(i, penalty), 1e-9);
    }
  }
}

TEST(Ridge, ThresholdPartsWhatCanBeParted) {
  // Two far clusters on a line, unequal in size.
  const std::vector<double> x = {2, 2.1, 1.9, 2.2, -2, -2.1, -1.9, -2.2, -1.8, -2.05};
  std::vector<double> gram, target, weight(x.size(), 1.0);
  std::vector<int32_t> group;
  for (const double a : x) {
    for (const double b : x) gram.push_back(a * b);
    target.push_back(a > 0 ? 1 : -1);
    group.push_back(static_cast<int32_t>(group.size()));
  }
  const double penalties[] = {0.1, 1.0};
  const Ridge ridge = fit_ridge(gram, target, weight, group, penalties);
  EXPECT_GT(ridge.expected_f1, 0.98);
  for (std::size_t i = 0; i < x.size(); ++i) {
    double score = 0;
    for (std::size_t j = 0; j < x.size(); ++j) score += ridge.coefficient[j] * (gram[i * x.size() + j] + 1);
    EXPECT_EQ(score > ridge.threshold, target[i] > 0);
  }
}

TEST(Ridge, ScoresWithoutSpreadSayYes) {
  // A kernel of zeros and targets of one kind: nothing to tell apart, so the best F1 is that of always yes.
  const std::vector<double> gram(16), target(4, 1.0), weight(4, 1.0);
  const std::vector<int32_t> group = {0, 1, 2, 3};
  const double penalties[] = {1.0};
  const Ridge ridge = fit_ridge(gram, target, weight, group, penalties);
  double score = 0;
  for (const double c : ridge.coefficient) score += c;
  EXPECT_GT(score, ridge.threshold);
}

}  // namespace
}  // namespace incipit::interpret
