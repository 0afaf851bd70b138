#pragma once

#include <cstdint>

namespace incipit::device {

/// out[s, i] = the largest z of the latents of set s, for rows i of z. −∞ for an empty set. z holds no NaN.
/// All pointers are device memory, arrays row-major.
struct SetMaximum {
  std::int64_t rows = 0;
  std::int64_t h = 0;
  std::int64_t sets = 0;
  std::int64_t stride = 0;               ///< from one set's row of out to the next
  const float* z = nullptr;              ///< rows×h
  const std::int64_t* start = nullptr;   ///< sets+1, into latent
  const std::int32_t* latent = nullptr;  ///< the latents of each set
  float* out = nullptr;                  ///< sets×rows
};

}  // namespace incipit::device
