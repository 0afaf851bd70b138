#pragma once

#include <cstdint>

namespace incipit::device {

/// Which groups fire each latent: the codes, sorted by latent and then by group. A group stands there as
/// often as its probes fire the latent, all of them side by side. All pointers are device memory, arrays
/// row-major.
struct LatentGroups {
  std::int64_t n = 0;
  std::int64_t keep = 0;
  std::int64_t h = 0;
  const std::int32_t* index = nullptr;   ///< n×keep
  const float* value = nullptr;          ///< n×keep
  const std::int32_t* member = nullptr;  ///< n, the probes by group
  const std::int32_t* group = nullptr;   ///< n, the group of each probe, ascending along member
  std::int32_t* start = nullptr;         ///< h+1, into list
  std::int32_t* list = nullptr;          ///< n×keep; the first start[h] are written
};

}  // namespace incipit::device
