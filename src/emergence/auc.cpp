#include "emergence/auc.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "emergence/estimate.hpp"

namespace incipit::emergence {
namespace {

/// Probes by ascending score, cut into blocks of equal ones: block b is order[start[b]] … order[start[b+1]].
struct Ranking {
  std::vector<int32_t> order;
  std::vector<int64_t> start;
};

Ranking rank_probes(std::span<const double> score) {
  Ranking out;
  out.order.resize(score.size());
  std::iota(out.order.begin(), out.order.end(), 0);
  std::stable_sort(out.order.begin(), out.order.end(), [&](int32_t a, int32_t b) {
    return score[static_cast<size_t>(a)] < score[static_cast<size_t>(b)];
  });
  for (size_t at = 0; at < out.order.size(); ++at) {
    const auto here = static_cast<size_t>(out.order[at]);
    if (at == 0 || score[static_cast<size_t>(out.order[at - 1])] < score[here])
      out.start.push_back(static_cast<int64_t>(at));
  }
  out.start.push_back(static_cast<int64_t>(score.size()));
  return out;
}

/// Twice the number of pairs (positive above negative), ties once, of many draws at a time. All numbers are
/// integers below 2⁵³, so their order does not matter.
class PairCounts {
 public:
  explicit PairCounts(int64_t draws)
      : positive_(static_cast<size_t>(draws), 0.0),
        negative_(positive_),
        twice_(positive_),
        tied_positive_(positive_),
        tied_negative_(positive_) {}

  double* tied_positive() { return tied_positive_.data(); }
  double* tied_negative() { return tied_negative_.data(); }

  /// Counts what was put into tied_positive and tied_negative as one block above all before, and empties
  /// them.
  void close_block() {
    for (size_t r = 0; r < twice_.size(); ++r) {
      twice_[r] += tied_positive_[r] * (2.0 * negative_[r] + tied_negative_[r]);
      negative_[r] += tied_negative_[r];
      positive_[r] += tied_positive_[r];
      tied_positive_[r] = 0;
      tied_negative_[r] = 0;
    }
  }
  /// A block of one probe that is positive, or negative, in every draw.
  void add_positive(const int32_t* weight) {
    for (size_t r = 0; r < twice_.size(); ++r) {
      const auto w = static_cast<double>(weight[r]);
      twice_[r] += w * 2.0 * negative_[r];
      positive_[r] += w;
    }
  }
  void add_negative(const int32_t* weight) {
    for (size_t r = 0; r < twice_.size(); ++r) negative_[r] += static_cast<double>(weight[r]);
  }
  /// A block of one probe of weight 1, positive where its label says so.
  void add_labelled(const int32_t* label, int32_t subject) {
    for (size_t r = 0; r < twice_.size(); ++r) {
      const double w = label[r] == subject ? 1.0 : 0.0;
      twice_[r] += w * 2.0 * negative_[r];
      positive_[r] += w;
      negative_[r] += 1.0 - w;
    }
  }

  [[nodiscard]] std::vector<double> areas() const {
    std::vector<double> out(twice_.size());
    for (size_t r = 0; r < out.size(); ++r) {
      const double pairs = positive_[r] * negative_[r];
      out[r] = pairs > 0 ? twice_[r] / (2.0 * pairs) : nan;
    }
    return out;
  }

 private:
  std::vector<double> positive_, negative_, twice_, tied_positive_, tied_negative_;
};

std::vector<double> bootstrap_areas(const Ranking& ranking, int32_t subject, const JudgeSet& judge,
                                    const Resampling& resampling) {
  PairCounts counts(resampling.bootstrap);
  for (size_t block = 0; block + 1 < ranking.start.size(); ++block) {
    const bool alone = ranking.start[block + 1] - ranking.start[block] == 1;
    for (int64_t at = ranking.start[block]; at < ranking.start[block + 1]; ++at) {
      const auto i = static_cast<size_t>(ranking.order[static_cast<size_t>(at)]);
      const int32_t* weight = resampling.weights(judge.group[i]);
      const bool positive = judge.subject[i] == subject;
      if (alone) {
        positive ? counts.add_positive(weight) : counts.add_negative(weight);
        continue;
      }
      double* sum = positive ? counts.tied_positive() : counts.tied_negative();
      for (int64_t r = 0; r < resampling.bootstrap; ++r) sum[r] += static_cast<double>(weight[r]);
    }
    if (!alone) counts.close_block();
  }
  return counts.areas();
}

std::vector<double> permutation_areas(const Ranking& ranking, int32_t subject, const Resampling& resampling) {
  PairCounts counts(resampling.permutations);
  for (size_t block = 0; block + 1 < ranking.start.size(); ++block) {
    const bool alone = ranking.start[block + 1] - ranking.start[block] == 1;
    for (int64_t at = ranking.start[block]; at < ranking.start[block + 1]; ++at) {
      const int32_t* label = resampling.labels(ranking.order[static_cast<size_t>(at)]);
      if (alone) {
        counts.add_labelled(label, subject);
        continue;
      }
      double* positive = counts.tied_positive();
      double* negative = counts.tied_negative();
      for (int64_t r = 0; r < resampling.permutations; ++r) {
        const double w = label[r] == subject ? 1.0 : 0.0;
        positive[r] += w;
        negative[r] += 1.0 - w;
      }
    }
    if (!alone) counts.close_block();
  }
  return counts.areas();
}

double observed(const Ranking& ranking, std::span<const uint8_t> positive) {
  double above = 0, negative = 0, total_positive = 0;
  for (size_t block = 0; block + 1 < ranking.start.size(); ++block) {
    double p = 0, q = 0;
    for (int64_t at = ranking.start[block]; at < ranking.start[block + 1]; ++at)
      (positive[static_cast<size_t>(ranking.order[static_cast<size_t>(at)])] != 0 ? p : q) += 1;
    above += p * (2.0 * negative + q);
    negative += q;
    total_positive += p;
  }
  const double pairs = total_positive * negative;
  return pairs > 0 ? above / (2.0 * pairs) : nan;
}

bool has_nan(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

}  // namespace

AucDraws auc_draws(std::span<const double> score, int32_t subject, const JudgeSet& judge,
                   const Resampling& resampling) {
  if (has_nan(score))
    return {nan, std::vector<double>(static_cast<size_t>(resampling.bootstrap), nan),
            std::vector<double>(static_cast<size_t>(resampling.permutations), nan)};
  const Ranking ranking = rank_probes(score);
  std::vector<uint8_t> positive;
  for (const int32_t c : judge.subject) positive.push_back(c == subject ? 1 : 0);
  return {observed(ranking, positive), bootstrap_areas(ranking, subject, judge, resampling),
          permutation_areas(ranking, subject, resampling)};
}

double auc(std::span<const double> score, std::span<const uint8_t> positive) {
  return has_nan(score) ? nan : observed(rank_probes(score), positive);
}

}  // namespace incipit::emergence
