#pragma once

#include <cstdint>

namespace incipit::device {

/// out[i] = word[token[i]] + every + place[position[i]]: what a transformer with learned positions reads.
struct EmbedTokens {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  const std::int32_t* token = nullptr;     ///< [rows]
  const std::int32_t* position = nullptr;  ///< [rows]
  const float* word = nullptr;             ///< [any, d]
  const float* place = nullptr;            ///< [any, d]
  const float* every = nullptr;            ///< [d], for all rows alike, or null
  float* out = nullptr;                    ///< [rows, d], apart from all others
};

}  // namespace incipit::device
