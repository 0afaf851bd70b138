#pragma once

#include <cstdint>

namespace incipit::device {

/// Probes by ascending score, equal ones in their order, for each set. Scores hold no NaN; −0 equals 0.
/// All pointers are device memory, arrays row-major; T is float or double.
template <class T>
struct RankScores {
  std::int64_t n = 0;
  std::int64_t sets = 0;
  const T* score = nullptr;       ///< sets×n
  std::int32_t* order = nullptr;  ///< sets×n
  std::int32_t* last = nullptr;   ///< sets×n: 1 where the next in order has another score, or there is none
};

}  // namespace incipit::device
