#include "emergence/linear_probe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "align/folds.hpp"
#include "align/linear_algebra.hpp"
#include "emergence/auc.hpp"
#include "emergence/estimate.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

using align::Centred;
using align::multiply;
using Index = std::vector<int64_t>;

constexpr std::array<double, 6> ridges = {1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1};
/// Where there are too few groups to choose by.
constexpr size_t usual_ridge = 2;

/// One classifier per subject, trained on some rows, not yet solved for a ridge. Primal (weights over
/// dimensions) or, with fewer rows than dimensions, dual (weights over rows).
class Ridge {
 public:
  Ridge(align::Rows rows, std::span<const int32_t> subject, Index train, int32_t subjects)
      : rows_(rows),
        train_(std::move(train)),
        subjects_(subjects),
        mean_(align::column_means(rows, train_)),
        share_(static_cast<size_t>(subjects), 0.0) {
    const auto n = static_cast<int64_t>(train_.size());
    for (const int64_t i : train_) share_[static_cast<size_t>(subject[static_cast<size_t>(i)])] += 1;
    for (double& s : share_) s /= static_cast<double>(n);
    const Centred centred{rows_, train_, mean_};
    dual_ = n < rows.d;
    dual_ ? prepare_dual(centred, subject) : prepare_primal(centred, subject);
  }

  [[nodiscard]] bool has_variance() const { return variance_ > 0; }

  /// Scores of test rows, [test.n(), subjects]; rows are centred here.
  [[nodiscard]] std::vector<double> scores(align::Rows test, const Index& which, double gamma) const {
    auto matrix = matrix_;
    const double lambda = gamma * variance_ / static_cast<double>(rows_.d);
    for (int64_t i = 0; i < size_; ++i) matrix[static_cast<size_t>(i * size_ + i)] += lambda;
    auto weights = target_;
    if (!align::solve_positive(std::move(matrix), size_, weights, subjects_))
      throw Error(Exit::numbers, "linear probe: the covariance of the activations cannot be factored");
    return apply({test, which, mean_}, dual_ ? to_dimensions(weights) : weights);
  }

 private:
  void prepare_primal(const Centred& centred, std::span<const int32_t> subject) {
    size_ = rows_.d;
    matrix_ = align::cross_product(centred, centred);
    variance_ = trace();
    target_.assign(static_cast<size_t>(size_ * subjects_), 0.0);
    std::vector<double> row(static_cast<size_t>(size_));
    for (size_t at = 0; at < train_.size(); ++at) {
      centred.copy(static_cast<int64_t>(at), 1, 0, size_, row.data());
      const auto c = static_cast<size_t>(subject[static_cast<size_t>(train_[at])]);
      for (size_t j = 0; j < row.size(); ++j) target_[j * static_cast<size_t>(subjects_) + c] += row[j];
    }
  }

  void prepare_dual(const Centred& centred, std::span<const int32_t> subject) {
    size_ = centred.n();
    const auto all = centred.copy();
    matrix_.resize(static_cast<size_t>(size_ * size_));
    multiply(false, true, size_, size_, rows_.d, 1.0, all.data(), rows_.d, all.data(), rows_.d, 0.0,
             matrix_.data(), size_);
    variance_ = trace();
    target_.resize(static_cast<size_t>(size_ * subjects_));
    for (size_t at = 0; at < train_.size(); ++at)
      for (int32_t c = 0; c < subjects_; ++c)
        target_[at * static_cast<size_t>(subjects_) + static_cast<size_t>(c)] =
            (subject[static_cast<size_t>(train_[at])] == c ? 1.0 : 0.0) - share_[static_cast<size_t>(c)];
  }

  [[nodiscard]] double trace() const {
    double total = 0;
    for (int64_t i = 0; i < size_; ++i) total += matrix_[static_cast<size_t>(i * size_ + i)];
    return total;
  }

  /// Dual weights [n, C] to weights over dimensions [d, C].
  [[nodiscard]] std::vector<double> to_dimensions(const std::vector<double>& dual) const {
    std::vector<double> weights(static_cast<size_t>(rows_.d * subjects_), 0.0);
    const Centred centred{rows_, train_, mean_};
    std::vector<double> block(static_cast<size_t>(align::block_rows * rows_.d));
    for (int64_t begin = 0; begin < size_; begin += align::block_rows) {
      const int64_t count = std::min(align::block_rows, size_ - begin);
      centred.copy(begin, count, 0, rows_.d, block.data());
      multiply(true, false, rows_.d, subjects_, count, 1.0, block.data(), rows_.d,
               dual.data() + begin * subjects_, subjects_, 1.0, weights.data(), subjects_);
    }
    return weights;
  }

  [[nodiscard]] std::vector<double> apply(const Centred& test, const std::vector<double>& weights) const {
    std::vector<double> out(static_cast<size_t>(test.n() * subjects_));
    std::vector<double> block(static_cast<size_t>(align::block_rows * rows_.d));
    for (int64_t begin = 0; begin < test.n(); begin += align::block_rows) {
      const int64_t count = std::min(align::block_rows, test.n() - begin);
      test.copy(begin, count, 0, rows_.d, block.data());
      multiply(false, false, count, subjects_, rows_.d, 1.0, block.data(), rows_.d, weights.data(), subjects_,
               0.0, out.data() + begin * subjects_, subjects_);
    }
    for (size_t at = 0; at < out.size(); ++at) out[at] += share_[at % static_cast<size_t>(subjects_)];
    return out;
  }

  align::Rows rows_;
  Index train_;
  int32_t subjects_;
  std::vector<double> mean_, share_;
  bool dual_ = false;
  int64_t size_ = 0;
  double variance_ = 0;  ///< Σ‖x − μ‖² = N·d·v
  std::vector<double> matrix_, target_;
};

double mean_auc(const std::vector<double>& scores, std::span<const int32_t> subject, int32_t subjects) {
  double total = 0;
  int64_t count = 0;
  for (int32_t c = 0; c < subjects; ++c) {
    std::vector<double> score;
    std::vector<uint8_t> positive;
    for (size_t i = 0; i < subject.size(); ++i) {
      const double s = scores[i * static_cast<size_t>(subjects) + static_cast<size_t>(c)];
      if (std::isnan(s)) continue;
      score.push_back(s);
      positive.push_back(subject[i] == c ? 1 : 0);
    }
    const double area = auc(score, positive);
    if (std::isnan(area)) continue;
    total += area;
    ++count;
  }
  return count > 0 ? total / static_cast<double>(count) : nan;
}

/// γ by held-out group folds of the fit part.
double choose_ridge(align::Rows fit, std::span<const int32_t> subject, const std::vector<int32_t>& fold,
                    int32_t subjects) {
  std::vector<std::vector<double>> scores(ridges.size(),
                                          std::vector<double>(static_cast<size_t>(fit.n * subjects), nan));
  for (int f = 0; f < align::folds; ++f) {
    Index train, held;
    for (int64_t i = 0; i < fit.n; ++i) (fold[static_cast<size_t>(i)] == f ? held : train).push_back(i);
    if (held.empty() || train.empty()) continue;
    const Ridge ridge(fit, subject, train, subjects);
    if (!ridge.has_variance()) continue;
#pragma omp parallel for schedule(dynamic)
    for (size_t g = 0; g < ridges.size(); ++g) {
      const auto part = ridge.scores(fit, held, ridges[g]);
      for (size_t at = 0; at < held.size(); ++at)
        std::copy_n(part.begin() + static_cast<int64_t>(at) * subjects, subjects,
                    scores[g].begin() + held[at] * subjects);
    }
  }
  size_t best = usual_ridge;
  double most = -1;
  for (size_t g = 0; g < ridges.size(); ++g) {
    const double area = mean_auc(scores[g], subject, subjects);
    if (area >= most) {
      most = area;
      best = g;
    }
  }
  return ridges[best];
}

}  // namespace

std::vector<double> probe_scores(align::Rows fit, std::span<const int32_t> fit_subject,
                                 std::span<const int32_t> fit_group, align::Rows judge, int32_t subjects,
                                 uint64_t seed) {
  if (static_cast<int64_t>(fit_subject.size()) != fit.n || fit_group.size() != fit_subject.size() ||
      fit.d != judge.d)
    throw Error(Exit::defect, "linear probe: parts, subjects and groups do not fit together");
  std::vector<double> out(static_cast<size_t>(judge.n * subjects), nan);
  if (fit.n == 0) return out;
  Index all(static_cast<size_t>(fit.n));
  std::iota(all.begin(), all.end(), int64_t{0});
  const Ridge ridge(fit, fit_subject, all, subjects);
  if (!ridge.has_variance()) return out;
  const double gamma =
      choose_ridge(fit, fit_subject, align::group_folds(fit_group, align::folds, seed), subjects);
  out = ridge.scores(judge, {}, gamma);
  std::vector<bool> seen(static_cast<size_t>(subjects), false);
  for (const int32_t c : fit_subject) seen[static_cast<size_t>(c)] = true;
  for (size_t at = 0; at < out.size(); ++at)
    if (!seen[at % seen.size()]) out[at] = nan;
  return out;
}

}  // namespace incipit::emergence
