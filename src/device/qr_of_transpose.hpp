#pragma once

#include <cstdint>

namespace incipit::device {

/// rowsᵀ[d, n] = q · r for n ≤ d, in fp64; done on return. q is held as its transpose, in place of the rows,
/// so that rows = rᵀ · q as they lie in memory. Error(numbers) when the rows hold NaN or infinity;
/// Error(defect) for n > d. All pointers are device memory, matrices row-major.
struct QrOfTranspose {
  std::int64_t n = 0;
  std::int64_t d = 0;
  double* rows = nullptr;  ///< n×d; replaced by orthonormal rows, which span them
  double* r = nullptr;     ///< n×n, zero below the diagonal
};

}  // namespace incipit::device
