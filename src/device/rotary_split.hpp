#pragma once

#include <cstdint>

#include "device/number.hpp"

namespace incipit::device {

/// Takes the product with the query, key and value weights apart: adds the bias, turns the first
/// `rotary_dims` of each head of q and k by the row's position, and lays every head out by itself.
///
/// `in` holds one section of heads·head_size columns for each output that is not null, in the order q, k,
/// v; so a block of which only keys and values are wanted has two. Rotate-half convention, r = rotary_dims /
/// 2:
///
///     out[j]     = in[j] · cos[p, j] − in[j + r] · sin[p, j]        j < r, p = position[row]
///     out[j + r] = in[j + r] · cos[p, j] + in[j] · sin[p, j]
///
/// All in fp32, then rounded to T. Keys and values may go to rows of their own choice, as those that stay
/// while a text is written token by token do.
template <Number T>
struct RotarySplit {
  std::int64_t rows = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t rotary_dims = 0;            ///< even, 0..head_size
  const T* in = nullptr;                   ///< [rows, sections · heads · head_size]
  const float* bias = nullptr;             ///< [sections · heads · head_size] or null
  const std::int32_t* position = nullptr;  ///< [rows], place of the token in its sequence
  const float* cos = nullptr;              ///< [positions, rotary_dims / 2]
  const float* sin = nullptr;              ///< [positions, rotary_dims / 2]
  T* q = nullptr;                          ///< [heads, rows, head_size] or null
  T* k = nullptr;                          ///< [heads, key_rows, head_size] or null
  T* v = nullptr;                          ///< [heads, key_rows, head_size] or null
  std::int64_t key_rows = 0;               ///< 0: as many as of `in`
  const std::int32_t* place = nullptr;     ///< [rows] each one's row in k and v, all different; null: its own
};

}  // namespace incipit::device
