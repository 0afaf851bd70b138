#pragma once

#include <cstdint>

namespace incipit::device {

/// Probes in groups, and what was drawn over them (DrawBootstrap, DrawPermutations): what the statistics over
/// resamples (science §5) are taken of. The draws of a probe or group lie side by side.
/// All pointers are device memory, arrays row-major.
struct Resamples {
  std::int64_t n = 0;                           ///< probes
  std::int64_t subjects = 0;                    ///< C
  std::int64_t bootstrap = 0;                   ///< B
  std::int64_t permutations = 0;                ///< P
  const std::int32_t* subject = nullptr;        ///< n, of each probe
  const std::int32_t* group = nullptr;          ///< n, of each probe
  const std::int32_t* group_subject = nullptr;  ///< G
  const std::int32_t* weight = nullptr;         ///< G×B, how often the group was drawn
  const std::int32_t* label = nullptr;          ///< n×P, the permuted subject of the probe
  const std::int32_t* group_label = nullptr;    ///< G×P, the permuted subject of the group
};

/// A number as it is, in each resample and under each permutation.
template <class T>
struct Resampled {
  T* value = nullptr;        ///< of shape [...]
  T* bootstrap = nullptr;    ///< [..., B]
  T* permutation = nullptr;  ///< [..., P]
};

}  // namespace incipit::device
