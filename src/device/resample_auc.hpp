#pragma once

#include <cstdint>

#include "device/resamples.hpp"

namespace incipit::device {

/// The area under the ROC curve of each set's scores for telling the probes of its subject from the rest,
/// ties half: as it is, weighted as each resample drew the probes, and by permuted subjects (science §5,
/// `auc`). NaN where one side is empty. Pairs are counted in integers: twice their number must stay below
/// 2⁵³. All pointers are device memory, arrays row-major.
struct ResampleAuc {
  Resamples of = {};
  std::int64_t sets = 0;
  const std::int32_t* own = nullptr;    ///< sets, the subject that each is for
  const std::int32_t* order = nullptr;  ///< sets×n, as RankScores has it
  const std::int32_t* last = nullptr;   ///< sets×n
  Resampled<double> area = {};          ///< sets
};

}  // namespace incipit::device
