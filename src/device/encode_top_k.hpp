#pragma once

#include <cstdint>

namespace incipit::device {

/// Rows of a tile of EncodeTopK: whoever shares rows out cuts at multiples of this many.
inline constexpr std::int64_t encode_tile_rows = 256;

/// z = x · encoderᵀ + bias and its `keep` largest entries per row, in one pass over blocks: z is written only
/// where asked for. A row's result depends on its place in its tile and on no other row: the same rows from a
/// multiple of encode_tile_rows on give the same bytes in a call of any length. A NaN in z counts as +∞, so
/// that it is kept and shows in the loss. Several problems of one shape stand one behind the other in every
/// array; a problem's bytes depend on no other. All pointers are device memory, matrices row-major; T is
/// float or double.
template <class T>
struct EncodeTopK {
  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t h = 0;
  std::int64_t keep = 0;          ///< 1..h; 0 when only z is wanted
  const T* x = nullptr;           ///< problems×n×d, the input less the pre-bias
  const T* encoder = nullptr;     ///< problems×h×d
  const T* bias = nullptr;        ///< problems×h
  std::int32_t* index = nullptr;  ///< problems×n×keep, the largest z first, ties to the lower index
  T* value = nullptr;             ///< problems×n×keep, z at index
  T* z = nullptr;                 ///< problems×n×h, or nullptr
};

}  // namespace incipit::device
