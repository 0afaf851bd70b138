#include "device/resample_auc.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

/// Twice the number of pairs (positive above negative), ties once, of many draws at a time. All numbers are
/// integers below 2⁵³, so their order does not matter.
class PairCounts {
 public:
  explicit PairCounts(std::int64_t draws)
      : positive_(static_cast<std::size_t>(draws), 0.0),
        negative_(positive_),
        twice_(positive_),
        tied_positive_(positive_),
        tied_negative_(positive_) {}

  double* tied_positive() { return tied_positive_.data(); }
  double* tied_negative() { return tied_negative_.data(); }

  /// Counts what was put into tied_positive and tied_negative as one block above all before, and empties
  /// them.
  void close_block() {
    for (std::size_t r = 0; r < twice_.size(); ++r) {
      twice_[r] += tied_positive_[r] * (2.0 * negative_[r] + tied_negative_[r]);
      negative_[r] += tied_negative_[r];
      positive_[r] += tied_positive_[r];
      tied_positive_[r] = 0;
      tied_negative_[r] = 0;
    }
  }
  /// A block of one probe that is positive, or negative, in every draw.
  void add_positive(const std::int32_t* weight) {
    for (std::size_t r = 0; r < twice_.size(); ++r) {
      const auto w = static_cast<double>(weight[r]);
      twice_[r] += w * 2.0 * negative_[r];
      positive_[r] += w;
    }
  }
  void add_negative(const std::int32_t* weight) {
    for (std::size_t r = 0; r < twice_.size(); ++r) negative_[r] += static_cast<double>(weight[r]);
  }
  /// A block of one probe of weight 1, positive where its label says so.
  void add_labelled(const std::int32_t* label, std::int32_t subject) {
    for (std::size_t r = 0; r < twice_.size(); ++r) {
      const double w = label[r] == subject ? 1.0 : 0.0;
      twice_[r] += w * 2.0 * negative_[r];
      positive_[r] += w;
      negative_[r] += 1.0 - w;
    }
  }

  void write_areas(double* out) const {
    for (std::size_t r = 0; r < twice_.size(); ++r) {
      const double pairs = positive_[r] * negative_[r];
      out[r] = pairs > 0 ? twice_[r] / (2.0 * pairs) : std::numeric_limits<double>::quiet_NaN();
    }
  }

 private:
  std::vector<double> positive_, negative_, twice_, tied_positive_, tied_negative_;
};

/// One set's probes by rank.
struct Ranking {
  const std::int32_t* order;
  const std::int32_t* last;
  std::int32_t own;

  /// Whether no other probe has the score of the one at this rank.
  [[nodiscard]] bool alone(std::int64_t at) const { return last[at] != 0 && (at == 0 || last[at - 1] != 0); }
};

double observed_area(const Resamples& of, const Ranking& ranking) {
  PairCounts counts(1);
  for (std::int64_t at = 0; at < of.n; ++at) {
    const bool positive = of.subject[ranking.order[at]] == ranking.own;
    *(positive ? counts.tied_positive() : counts.tied_negative()) += 1.0;
    if (ranking.last[at] != 0) counts.close_block();
  }
  double area = 0;
  counts.write_areas(&area);
  return area;
}

void bootstrap_areas(const Resamples& of, const Ranking& ranking, double* out) {
  PairCounts counts(of.bootstrap);
  for (std::int64_t at = 0; at < of.n; ++at) {
    const std::int32_t i = ranking.order[at];
    const std::int32_t* weight = of.weight + of.group[i] * of.bootstrap;
    const bool positive = of.subject[i] == ranking.own;
    if (ranking.alone(at)) {
      positive ? counts.add_positive(weight) : counts.add_negative(weight);
      continue;
    }
    double* sum = positive ? counts.tied_positive() : counts.tied_negative();
    for (std::int64_t r = 0; r < of.bootstrap; ++r) sum[r] += static_cast<double>(weight[r]);
    if (ranking.last[at] != 0) counts.close_block();
  }
  counts.write_areas(out);
}

void permutation_areas(const Resamples& of, const Ranking& ranking, double* out) {
  PairCounts counts(of.permutations);
  for (std::int64_t at = 0; at < of.n; ++at) {
    const std::int32_t* label = of.label + ranking.order[at] * of.permutations;
    if (ranking.alone(at)) {
      counts.add_labelled(label, ranking.own);
      continue;
    }
    double* positive = counts.tied_positive();
    double* negative = counts.tied_negative();
    for (std::int64_t r = 0; r < of.permutations; ++r) {
      const double w = label[r] == ranking.own ? 1.0 : 0.0;
      positive[r] += w;
      negative[r] += 1.0 - w;
    }
    if (ranking.last[at] != 0) counts.close_block();
  }
  counts.write_areas(out);
}

}  // namespace

void HostDevice::resample_auc(const ResampleAuc& op) {
  const Resamples& of = op.of;
#pragma omp parallel for schedule(dynamic) num_threads(threads_)
  for (std::int64_t set = 0; set < op.sets; ++set) {
    const Ranking ranking{op.order + set * of.n, op.last + set * of.n, op.own[set]};
    op.area.value[set] = observed_area(of, ranking);
    bootstrap_areas(of, ranking, op.area.bootstrap + set * of.bootstrap);
    permutation_areas(of, ranking, op.area.permutation + set * of.permutations);
  }
}

}  // namespace incipit::device
