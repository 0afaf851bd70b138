#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::interpret {

/// A weighted kernel ridge classifier f(x) = Σ_i coefficient_i (k(x, x_i) + 1), made to hit +1 and −1.
struct Ridge {
  std::vector<double> coefficient;  ///< [n]
  double threshold = 0;             ///< yes where f(x) > threshold
  double penalty = 0;
  double expected_f1 = 0;  ///< at the threshold, by the calibration below
};

/// Solves (K + 1 + λ·diag(1/weight))·coefficient = target for each λ of `penalties` and keeps the best.
///
/// Predictions with a whole group left out come in closed form from A = (K + 1 + λ·diag(1/weight))⁻¹:
/// f₋G(x_G) = y_G − (A_GG)⁻¹ (A·y)_G. A weighted logistic curve through them gives each score a probability,
/// and the threshold is where the expected F1 under these probabilities is largest; the penalty is the one
/// for which that is largest. (Probabilities rather than counts, since with few positives the best cut of the
/// counts is mostly luck.)
///
/// gram: n×n row-major. target: ±1, both present. weight: > 0. group: probes of one group share a number.
/// Error defect when LAPACK finds K not positive definite.
[[nodiscard]] Ridge fit_ridge(std::span<const double> gram, std::span<const double> target,
                              std::span<const double> weight, std::span<const int32_t> group,
                              std::span<const double> penalties);

/// Predictions with each sample's group left out, for one penalty; also returns the coefficients.
struct LeftOut {
  std::vector<double> coefficient;  ///< [n]
  std::vector<double> prediction;   ///< [n] of the model made without the sample's group
};
[[nodiscard]] LeftOut leave_groups_out(std::span<const double> gram, std::span<const double> target,
                                       std::span<const double> weight, std::span<const int32_t> group,
                                       double penalty);

}  // namespace incipit::interpret
