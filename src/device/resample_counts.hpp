#pragma once

#include <cstdint>

#include "device/resamples.hpp"

namespace incipit::device {

/// On how many probes of each subject each set of latents fires, and the sum of its activations over the
/// probes of the subject it is for: as they are, weighted as each resample drew them, and by permuted
/// subjects (science §5). Counts are integers; sums run through the probes in their order. All pointers are
/// device memory, arrays row-major.
struct ResampleCounts {
  Resamples of = {};
  std::int64_t sets = 0;
  const std::int32_t* own = nullptr;   ///< sets, the subject that each is for
  const double* sum = nullptr;         ///< sets×n; the set fires where it is above 0 (ActivationSum)
  Resampled<std::int32_t> fired = {};  ///< sets×C
  Resampled<double> strength = {};     ///< sets: Σ sum over the probes of `own`
};

}  // namespace incipit::device
