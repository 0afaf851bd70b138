#pragma once

#include <cstdint>

namespace incipit::device {

/// out[i, :] = in[index[i], :]. The embedding of tokens, and the residuals at the last tokens.
struct GatherRows {
  std::int64_t rows = 0;                ///< rows of out
  std::int64_t d = 0;                   ///< columns of both
  const float* in = nullptr;            ///< [any, d]
  const std::int32_t* index = nullptr;  ///< [rows]
  float* out = nullptr;                 ///< [rows, d], apart from in
};

}  // namespace incipit::device
