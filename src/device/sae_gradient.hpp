#pragma once

#include <cstdint>

namespace incipit::device {

/// Gradients of weight·Σ square + weight_multi·Σ square_multi (SaeDecode) over a batch, as sorted-segment
/// sums: the pairs (row, t) with value > 0 are sorted by latent, then row, and each latent's row is summed in
/// that order by one worker. No atomics; the same bytes for any number of threads. Every entry is written.
///   decoder[j]   = Σ a · −(2·weight·[t<k] residual + 2·weight_multi·residual_multi)
///   encoder[j]   = Σ slope · x,   encoder_bias[j] = Σ slope
///   pre_bias     = −Σ_rows (2·weight·residual + 2·weight_multi·residual_multi) − Σ_j encoder_bias[j] ·
///   weights[j]
/// since the pre-bias is added to the output and taken from the input.
/// Several problems of one shape stand one behind the other in every array; a problem's bytes depend on no
/// other.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeGradient {
  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t h = 0;
  std::int64_t k = 0;
  std::int64_t keep = 0;
  const T* x = nullptr;                 ///< problems×n×d
  const std::int32_t* index = nullptr;  ///< problems×n×keep
  const T* value = nullptr;             ///< problems×n×keep
  const T* slope = nullptr;             ///< problems×n×keep
  const T* residual = nullptr;          ///< problems×n×d
  const T* residual_multi = nullptr;    ///< problems×n×d
  const T* weights = nullptr;           ///< problems×h×d, the encoder
  T weight = 0;
  T weight_multi = 0;
  T* encoder = nullptr;       ///< problems×h×d
  T* encoder_bias = nullptr;  ///< problems×h
  T* decoder = nullptr;       ///< problems×h×d
  T* pre_bias = nullptr;      ///< problems×d
};

}  // namespace incipit::device
