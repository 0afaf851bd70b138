#pragma once

#include <cstdint>

namespace incipit::device {

/// Samples since each latent last fired among the k kept: a latent with value > 0 at some t < k of some row
/// goes to 0, every other one gains n.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeIdle {
  std::int64_t n = 0;
  std::int64_t h = 0;
  std::int64_t k = 0;
  std::int64_t keep = 0;
  const std::int32_t* index = nullptr;  ///< n×keep
  const T* value = nullptr;             ///< n×keep
  std::int64_t* idle = nullptr;         ///< h
};

/// The latents idle for at least `dead_after` samples, ascending, and how many there are.
struct SaeDead {
  std::int64_t h = 0;
  std::int64_t dead_after = 0;
  const std::int64_t* idle = nullptr;  ///< h
  std::int32_t* dead = nullptr;        ///< h; the first `count` entries are written
  std::int64_t* count = nullptr;       ///< 1
};

}  // namespace incipit::device
