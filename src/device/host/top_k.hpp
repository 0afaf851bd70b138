#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "device/host/simd.hpp"

namespace incipit::device::host {

/// Above this many kept, a partial sort beats insertion.
constexpr std::int64_t most_inserted = 16;

/// Largest of `n` numbers, none of them NaN.
template <class T>
T largest(const T* z, std::int64_t n) {
  using S = Simd<T>;
  T best = -std::numeric_limits<T>::infinity();
  std::int64_t i = 0;
  if (n >= S::lanes) {
    typename S::Vector high;
    typename S::Vector next;
    S::load(high, z);
    for (i = S::lanes; i + S::lanes <= n; i += S::lanes) {
      S::load(next, z + i);
      high = next > high ? next : high;
    }
    for (std::int64_t lane = 0; lane < S::lanes; ++lane) best = std::max(best, high[lane]);
  }
  for (; i < n; ++i) best = std::max(best, z[i]);
  return best;
}

/// Keeps a short list sorted while the numbers pass by; most blocks hold nothing larger than its last.
template <class T>
void top_k_by_insertion(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value) {
  constexpr std::int64_t block = 32;
  std::int64_t held = 0;
  for (std::int64_t start = 0; start < n; start += block) {
    const std::int64_t end = std::min(start + block, n);
    if (held == keep && !(largest(z + start, end - start) > value[keep - 1])) continue;
    for (std::int64_t i = start; i < end; ++i) {
      if (held == keep && !(z[i] > value[keep - 1])) continue;
      std::int64_t at = held < keep ? held++ : keep - 1;
      for (; at > 0 && z[i] > value[at - 1]; --at) {
        value[at] = value[at - 1];
        index[at] = index[at - 1];
      }
      value[at] = z[i];
      index[at] = static_cast<std::int32_t>(i);
    }
  }
}

template <class T>
void top_k_by_sort(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value,
                   std::int32_t* scratch) {
  const auto before = [z](std::int32_t a, std::int32_t b) { return z[a] > z[b] || (z[a] == z[b] && a < b); };
  std::iota(scratch, scratch + n, 0);
  if (keep < n) std::nth_element(scratch, scratch + keep, scratch + n, before);
  std::sort(scratch, scratch + keep, before);
  for (std::int64_t t = 0; t < keep; ++t) {
    index[t] = scratch[t];
    value[t] = z[scratch[t]];
  }
}

/// The `keep` largest of n numbers (none NaN), the largest first, ties to the lower index. scratch: n.
template <class T>
void top_k(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value,
           std::int32_t* scratch) {
  if (keep <= most_inserted) {
    top_k_by_insertion(z, n, keep, index, value);
  } else {
    top_k_by_sort(z, n, keep, index, value, scratch);
  }
}

}  // namespace incipit::device::host
