#pragma once

#include <cstdint>

namespace incipit::device {

/// Attention of every token of a sequence to all of it, over sequences of different lengths that lie one
/// after the other, without padding. For each head, with i the query's and j the key's place in their
/// sequence:
///
///     out[i] = Σ_j softmax_j(scale · q[i]·k[j] + bias[j − i + reach − 1]) v[j]
///
/// All in fp32. A sequence's numbers do not depend on the others.
struct FullAttention {
  std::int64_t sequences = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t rows = 0;                 ///< of all sequences together
  std::int64_t longest = 0;              ///< rows of the longest sequence
  float scale = 1.0F;                    ///< 1 / sqrt(head_size)
  const std::int32_t* starts = nullptr;  ///< [sequences + 1]
  const float* q = nullptr;              ///< [heads, rows, head_size]
  const float* k = nullptr;              ///< [heads, rows, head_size]
  const float* v = nullptr;              ///< [heads, rows, head_size]
  std::int64_t reach = 0;                ///< at least `longest`, where there is a bias
  const float* bias = nullptr;  ///< [heads, 2 · reach − 1] by the distance from query to key, or null
  float* out = nullptr;         ///< [rows, heads · head_size], apart from q, k, v
};

}  // namespace incipit::device
