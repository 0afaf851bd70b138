#pragma once

#include <cstdint>

#include "device/resamples.hpp"

namespace incipit::device {

/// total[s] = Σ of chance[c, γ_j] over the latents j of set s in their order, c the set's subject and γ_j the
/// groups of c that fire j: as they are, weighted as each resample drew them, and by permuted subjects
/// (science §5, `latent_activation`).
/// All pointers are device memory, arrays row-major.
struct ResampleLatents {
  Resamples of = {};
  std::int64_t sets = 0;
  std::int64_t chances = 0;                   ///< columns of chance, more than any γ
  const std::int32_t* own = nullptr;          ///< sets, the subject that each is for
  const std::int64_t* start = nullptr;        ///< sets+1, into latent
  const std::int32_t* latent = nullptr;       ///< the latents of each set
  const std::int32_t* group_start = nullptr;  ///< h+1, into group_list (LatentGroups)
  const std::int32_t* group_list = nullptr;   ///< the groups that fire each latent, equal ones side by side
  const double* chance = nullptr;             ///< C×chances
  Resampled<double> total = {};               ///< sets
};

}  // namespace incipit::device
