#pragma once

#include <cstdint>

#include "device/number.hpp"

namespace incipit::device {

/// The two layer norms of a parallel residual in one pass over x:
///
///     n = (x − mean(x)) / sqrt(var(x) + eps)   for each row, var being the biased one
///     out_a = n · weight_a + bias_a,   out_b = n · weight_b + bias_b
///
/// Without `out_b` it is one ordinary layer norm. Sums are taken in fp32, the outputs rounded to Out.
template <Number Out>
struct DoubleLayerNorm {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  float eps = 1e-5F;
  const float* x = nullptr;         ///< [rows, d]
  const float* weight_a = nullptr;  ///< [d]
  const float* bias_a = nullptr;    ///< [d]
  Out* out_a = nullptr;             ///< [rows, d], may be x where out_b is absent and Out float
  const float* weight_b = nullptr;  ///< [d]
  const float* bias_b = nullptr;    ///< [d]
  Out* out_b = nullptr;             ///< [rows, d] or null
};

}  // namespace incipit::device
