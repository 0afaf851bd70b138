#pragma once

#include <cstdint>

#include "device/number.hpp"

namespace incipit::device {

/// Causal attention over sequences of different lengths that lie one after the other, without padding.
///
/// The queries of a sequence belong to its last tokens: with as many queries as keys it is the whole
/// causal attention, with one query it is that of the last token. Query i of Q (keys 0..N−1) sees the
/// keys 0..N−Q+i. For each head: out = softmax(scale · q kᵀ) v.
/// Scores, softmax and sums are fp32; the softmax may be rounded to T before it multiplies v.
template <Number T>
struct Attention {
  std::int64_t sequences = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t query_rows = 0;                 ///< of all sequences together
  std::int64_t key_rows = 0;                   ///< of all sequences together
  std::int64_t longest = 0;                    ///< keys of the longest sequence
  float scale = 1.0F;                          ///< 1 / sqrt(head_size)
  const std::int32_t* query_starts = nullptr;  ///< [sequences + 1]; no more queries than keys in any
  const std::int32_t* key_starts = nullptr;    ///< [sequences + 1]
  const T* q = nullptr;                        ///< [heads, query_rows, head_size]
  const T* k = nullptr;                        ///< [heads, key_rows, head_size]
  const T* v = nullptr;                        ///< [heads, key_rows, head_size]
  T* out = nullptr;                            ///< [query_rows, heads · head_size], apart from q, k, v
};

}  // namespace incipit::device
