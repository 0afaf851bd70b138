#pragma once

#include <climits>
#include <cstdint>
#include <type_traits>

#include "reduce.cuh"

/// The largest numbers of a row, by the digits of their bits: counting, no sorting and no order of arrival.
namespace incipit::device::cuda {

template <class T>
using Key = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;

/// Unsigned numbers in the order of the floating-point ones; the two zeros are one.
__device__ __forceinline__ std::uint32_t key_of(float x) {
  const std::uint32_t bits = __float_as_uint(x == 0 ? 0.0F : x);
  return bits >> 31U != 0 ? ~bits : bits | 0x80000000U;
}
__device__ __forceinline__ std::uint64_t key_of(double x) {
  const auto bits = static_cast<std::uint64_t>(__double_as_longlong(x == 0 ? 0.0 : x));
  return bits >> 63U != 0 ? ~bits : bits | 0x8000000000000000U;
}

/// What is kept of a row: larger keys, and of equal ones those up to an index.
template <class K>
struct Threshold {
  K key;
  int index;

  __device__ __forceinline__ bool keeps(K other, int i) const {
    return other > key || (other == key && i <= index);
  }
};

inline constexpr int digits = 256;

struct Digit {
  int digit;
  int left;   ///< how many are still to be taken, from this digit on
  int count;  ///< how many have it
};

/// The digit at which, counted from the largest down, `left` numbers are reached. All threads of the block
/// get it; `counts` may be used again after.
__device__ __forceinline__ Digit top_digit(Shared<int> counts, int left) {
  struct Found;
  constexpr int each = digits / warp_lanes;
  const Shared<int> found = shared_array<Found, int, 3>();
  if (threadIdx.x < warp_lanes) {
    const int lane = static_cast<int>(threadIdx.x);
    int mine[each];
    int sum = 0;
    for (int u = 0; u < each; ++u) sum += mine[u] = counts[digits - 1 - (lane * each + u)];
    int before = sum;
    for (int delta = 1; delta < warp_lanes; delta *= 2) {
      const int other = __shfl_up_sync(all_lanes, before, delta);
      if (lane >= delta) before += other;
    }
    before -= sum;
    if (before < left && left <= before + sum) {
      int u = 0;
      while (before + mine[u] < left) before += mine[u++];
      found[0] = digits - 1 - (lane * each + u);
      found[1] = left - before;
      found[2] = mine[u];
    }
  }
  __syncthreads();
  const Digit digit{found[0], found[1], found[2]};
  __syncthreads();
  return digit;
}

/// The threshold that keeps `keep` (1..n) of the keys get(0..n−1), ties to the lower index. All threads of a
/// block of whole warps must take part.
template <class K, class Get>
__device__ __forceinline__ Threshold<K> select_largest(int n, int keep, Get get) {
  struct Counts;
  const Shared<int> counts = shared_array<Counts, int, digits>();
  const auto count_digits = [&](auto digit_of) {
    for (int i = static_cast<int>(threadIdx.x); i < digits; i += static_cast<int>(blockDim.x)) counts[i] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) {
      const int digit = digit_of(i);
      if (digit >= 0) atomic_add(counts, digit, 1);
    }
    __syncthreads();
  };

  K prefix = 0;
  K known = 0;
  int left = keep;
  for (int shift = static_cast<int>(sizeof(K)) * 8 - 8; shift >= 0; shift -= 8) {
    count_digits([&](int i) {
      const K key = get(i);
      return (key & known) == prefix ? static_cast<int>(key >> static_cast<unsigned>(shift) & 255U) : -1;
    });
    const Digit top = top_digit(counts, left);
    prefix |= static_cast<K>(top.digit) << static_cast<unsigned>(shift);
    known |= K{255} << static_cast<unsigned>(shift);
    left = top.left;
    // All that begin so are kept: smaller digits need not be looked at.
    if (top.left == top.count) return {prefix, INT_MAX};
  }

  // More equal keys than are wanted: the lowest indices, which are the largest when counted down from n − 1.
  unsigned index_prefix = 0;
  unsigned index_known = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (n <= 1 << shift && shift > 0) {
      index_known |= 255U << static_cast<unsigned>(shift);
      continue;
    }
    count_digits([&](int i) {
      const auto down = static_cast<unsigned>(n - 1 - i);
      return get(i) == prefix && (down & index_known) == index_prefix
                 ? static_cast<int>(down >> static_cast<unsigned>(shift) & 255U)
                 : -1;
    });
    const Digit top = top_digit(counts, left);
    index_prefix |= static_cast<unsigned>(top.digit) << static_cast<unsigned>(shift);
    index_known |= 255U << static_cast<unsigned>(shift);
    left = top.left;
  }
  return {prefix, n - 1 - static_cast<int>(index_prefix)};
}

}  // namespace incipit::device::cuda
