#pragma once

#include <algorithm>
#include <cstdint>

namespace incipit::device {

/// The thin singular value decomposition a = u · diag(s) · vt, in fp64, with p = min(m, n); done on return.
/// u's columns and vt's rows are orthonormal, whatever the rank; their signs are the library's.
/// Error(numbers) when a holds NaN or infinity, or nothing converges.
/// All pointers are device memory, matrices row-major.
struct Svd {
  std::int64_t m = 0;
  std::int64_t n = 0;
  double* a = nullptr;   ///< m×n; destroyed
  double* u = nullptr;   ///< m×p
  double* s = nullptr;   ///< p, descending
  double* vt = nullptr;  ///< p×n

  [[nodiscard]] std::int64_t p() const { return std::min(m, n); }
};

}  // namespace incipit::device
