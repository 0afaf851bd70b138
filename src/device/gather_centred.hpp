#pragma once

#include <cstdint>

namespace incipit::device {

/// out[i] = rows[index[i]] − centre: the batch of an SAE step, u − b_pre (science §2).
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct GatherCentred {
  std::int64_t n = 0;  ///< rows of out
  std::int64_t d = 0;
  const T* rows = nullptr;              ///< any×d
  const std::int32_t* index = nullptr;  ///< n, or nullptr for 0, 1, 2, …
  const T* centre = nullptr;            ///< d
  T* out = nullptr;                     ///< n×d
};

}  // namespace incipit::device
