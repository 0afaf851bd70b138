#pragma once

#include "shared.cuh"

/// Sums and maxima in a fixed order: a butterfly over the lanes of a warp, then one over the warps of a
/// block.
namespace incipit::device::cuda {

inline constexpr int warp_lanes = 32;
inline constexpr unsigned all_lanes = 0xffffffffU;

/// Whether x is NaN or infinite: an exponent of all ones, from the bits, which no compiler flag can optimise
/// away.
__device__ __forceinline__ bool nonfinite(float x) {
  return (__float_as_uint(x) & 0x7f800000U) == 0x7f800000U;
}

struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Maximum {
  __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// Every lane gets the result.
template <class T, class Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
  for (int bits = warp_lanes / 2; bits > 0; bits /= 2)
    value = combine(value, __shfl_xor_sync(all_lanes, value, bits));
  return value;
}

/// Every thread gets the result; `none` is what combining does not see. All threads of the block must take
/// part, and there must be whole warps.
template <class T, class Combine>
__device__ __forceinline__ T block_reduce(T value, T none, Combine combine) {
  struct Partial;
  const Shared<T> partial = shared_array<Partial, T, warp_lanes>();
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warps = static_cast<int>(blockDim.x) / warp_lanes;
  value = warp_reduce(value, combine);
  if (warps == 1) return value;
  if (lane == 0) partial[threadIdx.x / warp_lanes] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? T(partial[lane]) : none, combine);
  // The next reduction may reuse the array.
  __syncthreads();
  return value;
}

template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  return warp_reduce(value, Sum{});
}
template <class T>
__device__ __forceinline__ T block_sum(T value) {
  return block_reduce(value, T{0}, Sum{});
}
/// NaN is passed over, as fmaxf does.
__device__ __forceinline__ float block_max(float value) {
  return block_reduce(value, -INFINITY, Maximum{});
}

}  // namespace incipit::device::cuda
