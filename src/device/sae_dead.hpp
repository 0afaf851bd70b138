#pragma once

#include <cstdint>

namespace incipit::device {

/// Samples since each latent last fired among the k kept: a latent with value > 0 at some t < k of some row
/// goes to 0, every other one gains n. Several problems of one shape stand one behind the other in every
/// array. All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeIdle {
  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t h = 0;
  std::int64_t k = 0;
  std::int64_t keep = 0;
  const std::int32_t* index = nullptr;  ///< problems×n×keep
  const T* value = nullptr;             ///< problems×n×keep
  std::int64_t* idle = nullptr;         ///< problems×h
};

/// The latents idle for at least their problem's `dead_after` samples, ascending, and how many there are.
/// Several problems stand one behind the other in every array.
struct SaeDead {
  std::int64_t problems = 1;
  std::int64_t h = 0;
  const std::int64_t* dead_after = nullptr;  ///< problems
  const std::int64_t* idle = nullptr;        ///< problems×h
  std::int32_t* dead = nullptr;              ///< problems×h; a problem's first `count` entries are written
  std::int64_t* count = nullptr;             ///< problems
};

}  // namespace incipit::device
