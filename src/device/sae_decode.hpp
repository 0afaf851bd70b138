#pragma once

#include <cstdint>

namespace incipit::device {

/// What a top-k and a multi-k reconstruction leave of x, and how the two losses answer to each activation.
/// With a = max(value, 0), per row:
///   residual       = x − Σ_{t<k}    a_t · decoder[index_t]
///   residual_multi = x − Σ_{t<keep} a_t · decoder[index_t]
///   square = ‖residual‖²,  square_multi = ‖residual_multi‖²
///   slope_t = −(2·weight·[t<k] residual + 2·weight_multi·residual_multi) · decoder[index_t]   where value_t
///   > 0, else 0:
/// the derivative by z_t of weight·square + weight_multi·square_multi.
/// Several problems of one shape stand one behind the other in every array; a problem's bytes depend on no
/// other.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeDecode {
  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t h = 0;  ///< not read for one problem
  std::int64_t k = 0;  ///< 1..keep
  std::int64_t keep = 0;
  const T* x = nullptr;                 ///< problems×n×d
  const T* decoder = nullptr;           ///< problems×h×d
  const std::int32_t* index = nullptr;  ///< problems×n×keep
  const T* value = nullptr;             ///< problems×n×keep
  T weight = 0;
  T weight_multi = 0;
  T* residual = nullptr;        ///< problems×n×d
  T* residual_multi = nullptr;  ///< problems×n×d, or nullptr: then neither square_multi nor slope is written
  T* slope = nullptr;           ///< problems×n×keep, or nullptr
  double* square = nullptr;     ///< problems×n
  double* square_multi = nullptr;  ///< problems×n, or nullptr
};

}  // namespace incipit::device
