#pragma once

#include <cstdint>

namespace incipit::device {

/// How often each latent fires on the probes of each subject, and on how many probes none fires. A latent
/// fires where it is kept and its value is above 0 (science §2). Integers, so exact in any order.
/// All pointers are device memory, arrays row-major.
struct LatentHistogram {
  std::int64_t n = 0;
  std::int64_t keep = 0;
  std::int64_t h = 0;
  std::int64_t subjects = 0;              ///< C
  const std::int32_t* index = nullptr;    ///< n×keep, distinct within a row
  const float* value = nullptr;           ///< n×keep
  const std::int32_t* subject = nullptr;  ///< n, 0..C−1
  std::int32_t* count = nullptr;          ///< h×C
  std::int32_t* silent = nullptr;         ///< 1
};

}  // namespace incipit::device
