#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/resampling.hpp"

namespace incipit::emergence {

/// The area under the ROC curve, as drawn.
struct AucDraws {
  double value;
  std::vector<double> bootstrap;    ///< [B]
  std::vector<double> permutation;  ///< [P]
};

/// AUC of `score` [n] for telling the probes of `subject` from the rest; ties count half. NaN where one side
/// is empty or a score is NaN. One sort, then a weighted pass per draw, all draws abreast; exact integers.
AucDraws auc_draws(std::span<const double> score, int32_t subject, const JudgeSet& judge,
                   const Resampling& resampling);

/// The value alone, for any labels: positive[i] ≠ 0.
double auc(std::span<const double> score, std::span<const uint8_t> positive);

}  // namespace incipit::emergence
