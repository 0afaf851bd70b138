#pragma once

#include <cstdint>

namespace incipit::interpret {

/// What was counted on the judged probes. Counts, not shares.
struct Tally {
  int64_t true_yes = 0, false_yes = 0, true_no = 0, false_no = 0;
};

[[nodiscard]] double f1(const Tally& tally);                 ///< 2 TP / (2 TP + FP + FN); NaN without trials
[[nodiscard]] double precision(const Tally& tally);          ///< NaN when nothing was answered yes
[[nodiscard]] double recall(const Tally& tally);             ///< NaN without firing probes
[[nodiscard]] double balanced_accuracy(const Tally& tally);  ///< NaN when one side is empty

/// One-sided lower 95 % bound of F1. F1 = 2J / (1 + J) grows with the Jaccard index J = TP / (TP + FP + FN),
/// a proportion, so Wilson's bound for J is carried over. Probes of a group stand and fall together, so the
/// number of trials is not TP + FP + FN but `groups`, the groups among those probes. NaN without trials.
[[nodiscard]] double f1_low(const Tally& tally, int64_t groups);

/// What a teacher that always says yes scores on so many firing and silent probes.
[[nodiscard]] double f1_always_yes(int64_t firing, int64_t silent);
/// The exact expectation of F1 for a teacher that tosses a fair coin.
[[nodiscard]] double f1_coin(int64_t firing, int64_t silent);

/// Precision in a population where a share `rate` fires: rate·TPR / (rate·TPR + (1 − rate)·FPR), where TPR
/// and FPR are the shares answered yes among firing and silent probes. NaN when both terms are 0.
[[nodiscard]] double precision_at_rate(double true_yes_rate, double false_yes_rate, double rate);

}  // namespace incipit::interpret
