#pragma once

#include <cstdint>

#include "device/host/functions.hpp"
#include "device/host/lanes.hpp"

namespace incipit::device::host {

/// Turns n ≥ 1 scores into e^(score − largest); returns their sum.
inline float exponentiate(float* score, std::int64_t n) {
  const float most = lane_max(score, n);
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) score[j] = exp_fast(score[j] - most);
  return lane_sum(score, n, [](auto v) { return v; });
}

}  // namespace incipit::device::host
