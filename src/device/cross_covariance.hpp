#pragma once

#include <cstdint>

namespace incipit::device {

/// out = Σ_i (x_i − mean_x)(y_i − mean_y)ᵀ over the rows i of `index` (science §8).
///
/// Differences are taken in fp64 and rounded to T, float or double; blocks of `cross_covariance_rows` rows
/// are multiplied and summed in T, and the blocks' sums added up in fp64, in their order. What is not finite
/// in a row makes its row or column of the result NaN or infinite. Without rows the result is zero. All
/// pointers are device memory, matrices row-major.
template <class T>
struct CrossCovariance {
  std::int64_t n = 0;  ///< rows summed over
  std::int64_t d_x = 0;
  std::int64_t d_y = 0;
  const float* x = nullptr;             ///< any×d_x
  const float* y = nullptr;             ///< any×d_y
  const std::int32_t* index = nullptr;  ///< n, into both; or nullptr for 0, 1, 2, …
  const double* mean_x = nullptr;       ///< d_x
  const double* mean_y = nullptr;       ///< d_y
  double* out = nullptr;                ///< d_x×d_y
};

inline constexpr std::int64_t cross_covariance_rows = 256;

}  // namespace incipit::device
