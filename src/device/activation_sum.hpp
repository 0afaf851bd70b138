#pragma once

#include <cstdint>

namespace incipit::device {

/// sum[s, i] = Σ of the values above 0 of the latents of set s that probe i keeps, in the order of its row.
/// So it is above 0 exactly where the set fires (science §5, `strength`). A latent may be in several sets.
/// All pointers are device memory, arrays row-major.
struct ActivationSum {
  std::int64_t n = 0;
  std::int64_t keep = 0;
  std::int64_t h = 0;
  std::int64_t sets = 0;
  const std::int32_t* index = nullptr;  ///< n×keep
  const float* value = nullptr;         ///< n×keep
  const std::int64_t* start = nullptr;  ///< h+1, into set
  const std::int32_t* set = nullptr;    ///< the sets that each latent is in
  double* sum = nullptr;                ///< sets×n
};

}  // namespace incipit::device
