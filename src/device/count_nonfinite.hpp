#pragma once

#include <cstdint>

namespace incipit::device {

/// counts[i] = how many of x[i, :] are NaN or infinite.
struct CountNonfinite {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  const float* x = nullptr;        ///< [rows, d]
  std::int32_t* counts = nullptr;  ///< [rows]
};

}  // namespace incipit::device
