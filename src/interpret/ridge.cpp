#include "interpret/ridge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.hpp"

// The Fortran interface is the one that every LAPACK has.
extern "C" {
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void dpotri_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void dposv_(const char* uplo, const int* n, const int* nrhs, double* a, const int* lda, double* b,
            const int* ldb, int* info);
}

namespace incipit::interpret {
namespace {

void check(int info, const char* routine) {
  if (info != 0) {
    throw Error(
        Exit::defect,
        fmt::format("interpret: {} says {} for a kernel that should be positive definite", routine, info));
  }
}

/// Inverse of a symmetric positive definite matrix, full.
std::vector<double> inverse(std::vector<double> a, int n) {
  int info = 0;
  dpotrf_("L", &n, a.data(), &n, &info);
  check(info, "dpotrf");
  dpotri_("L", &n, a.data(), &n, &info);
  check(info, "dpotri");
  const auto size = static_cast<std::size_t>(n);
  // Column-major lower is row-major upper.
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = i + 1; j < size; ++j) a[j * size + i] = a[i * size + j];
  }
  return a;
}

/// (A_GG)⁻¹ v_G.
std::vector<double> solve_block(const std::vector<double>& a, std::size_t n,
                                std::span<const std::size_t> members, std::span<const double> v) {
  const int size = static_cast<int>(members.size());
  std::vector<double> block, right;
  for (const std::size_t i : members) {
    right.push_back(v[i]);
    for (const std::size_t j : members) block.push_back(a[i * n + j]);
  }
  const int one = 1;
  int info = 0;
  dposv_("L", &size, &one, block.data(), &size, right.data(), &size, &info);
  check(info, "dposv");
  return right;
}

struct Cut {
  double threshold, expected_f1;
};

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Logistic curve p = logistic(slope·z + offset) through weighted outcomes, by Newton's method, with a slight
/// pull of the slope towards 0 so that separable outcomes have an optimum.
struct Calibration {
  double slope = 0, offset = 0;

  Calibration(std::span<const double> z, std::span<const double> target, std::span<const double> weight) {
    constexpr double pull = 1e-3;
    for (int round = 0; round < 50; ++round) {
      double g0 = pull * slope, g1 = 0, h00 = pull, h01 = 0, h11 = 1e-9;
      for (std::size_t i = 0; i < z.size(); ++i) {
        const double p = logistic(slope * z[i] + offset);
        const double residual = weight[i] * (p - (target[i] > 0 ? 1 : 0)), curve = weight[i] * p * (1 - p);
        g0 += residual * z[i];
        g1 += residual;
        h00 += curve * z[i] * z[i];
        h01 += curve * z[i];
        h11 += curve;
      }
      const double determinant = h00 * h11 - h01 * h01;
      if (!(determinant > 0)) return;
      double step0 = (h11 * g0 - h01 * g1) / determinant, step1 = (h00 * g1 - h01 * g0) / determinant;
      const double longest = std::max(std::abs(step0), std::abs(step1));
      const double brake = longest > 2 ? 2 / longest : 1;
      slope -= brake * step0;
      offset -= brake * step1;
      if (longest < 1e-10) return;
    }
  }
};

/// Where the expected F1 is largest, if a score's probability is what a logistic curve through all scores
/// says. The best rule says yes where p > F1/2.
Cut best_cut(std::span<const double> scores, std::span<const double> target, std::span<const double> weight) {
  const std::size_t n = scores.size();
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < n; ++i) mean += weight[i] / total * scores[i];
  for (std::size_t i = 0; i < n; ++i) variance += weight[i] / total * (scores[i] - mean) * (scores[i] - mean);
  const double spread = std::sqrt(variance);
  if (!(spread > 1e-12)) return {mean - 1, 2.0 / 3.0};
  std::vector<double> z(n), w(n), p(n);
  for (std::size_t i = 0; i < n; ++i) {
    z[i] = (scores[i] - mean) / spread;
    w[i] = weight[i] / total;
  }
  const Calibration curve(z, target, w);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return z[a] > z[b]; });
  double mass = 0;
  for (std::size_t i = 0; i < n; ++i) mass += w[i] * (p[i] = logistic(curve.slope * z[i] + curve.offset));
  double found = 0, asked = 0, best = 0;
  for (const std::size_t i : order) {
    found += w[i] * p[i];
    asked += w[i];
    best = std::max(best, 2 * found / (asked + mass));
  }
  const double least = std::clamp(best / 2, 1e-6, 1 - 1e-6);
  // A curve that falls or is flat says that the scores mean nothing; then the mean is as good a cut as any.
  if (!(curve.slope > 1e-6)) return {mean, best};
  return {mean + spread * (std::log(least / (1 - least)) - curve.offset) / curve.slope, best};
}

}  // namespace

LeftOut leave_groups_out(std::span<const double> gram, std::span<const double> target,
                         std::span<const double> weight, std::span<const int32_t> group, double penalty) {
  const std::size_t n = target.size();
  std::vector<double> a(gram.begin(), gram.end());
  for (double& value : a) value += 1;
  for (std::size_t i = 0; i < n; ++i) a[i * n + i] += penalty / weight[i];
  a = inverse(std::move(a), static_cast<int>(n));
  LeftOut out{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) out.coefficient[i] += a[i * n + j] * target[j];
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return group[i] < group[j]; });
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && group[order[end]] == group[order[begin]]) ++end;
    const std::span<const std::size_t> members(&order[begin], end - begin);
    const std::vector<double> shift = solve_block(a, n, members, out.coefficient);
    for (std::size_t m = 0; m < members.size(); ++m) {
      out.prediction[members[m]] = target[members[m]] - shift[m];
    }
  }
  return out;
}

Ridge fit_ridge(std::span<const double> gram, std::span<const double> target, std::span<const double> weight,
                std::span<const int32_t> group, std::span<const double> penalties) {
  Ridge best;
  best.expected_f1 = -1;
  for (const double penalty : penalties) {
    LeftOut left = leave_groups_out(gram, target, weight, group, penalty);
    const Cut cut = best_cut(left.prediction, target, weight);
    if (cut.expected_f1 > best.expected_f1) {
      best = {std::move(left.coefficient), cut.threshold, penalty, cut.expected_f1};
    }
  }
  return best;
}

}  // namespace incipit::interpret
