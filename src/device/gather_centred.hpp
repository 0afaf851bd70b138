#pragma once

#include <cstdint>

namespace incipit::device {

/// out[p, i] = rows[index[p, i]] − centre[p]: the batch of an SAE step, u − b_pre (science §2), of several
/// problems p at once, whose rows stand in one matrix. A problem's bytes depend on no other.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct GatherCentred {
  std::int64_t problems = 1;
  std::int64_t n = 0;  ///< rows of a problem
  std::int64_t d = 0;
  const T* rows = nullptr;              ///< any×d
  const std::int32_t* index = nullptr;  ///< problems×n, or nullptr for 0, 1, 2, …
  const T* centre = nullptr;            ///< problems×d
  T* out = nullptr;                     ///< problems×n×d
};

}  // namespace incipit::device
