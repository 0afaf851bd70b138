#pragma once

#include "shared.cuh"

/// Sums in a fixed order: a butterfly over the lanes of a warp, then one over the warps of a block.
namespace incipit::device::cuda {

inline constexpr int warp_lanes = 32;
inline constexpr unsigned all_lanes = 0xffffffffU;

/// Every lane gets the sum.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int bits = warp_lanes / 2; bits > 0; bits /= 2) value += __shfl_xor_sync(all_lanes, value, bits);
  return value;
}

/// Every thread gets the sum. All threads of the block must take part, and there must be whole warps.
template <class T>
__device__ __forceinline__ T block_sum(T value) {
  struct Partial;
  const Shared<T> partial = shared_array<Partial, T, warp_lanes>();
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warps = static_cast<int>(blockDim.x) / warp_lanes;
  value = warp_sum(value);
  if (warps == 1) return value;
  if (lane == 0) partial[threadIdx.x / warp_lanes] = value;
  __syncthreads();
  value = warp_sum(lane < warps ? T(partial[lane]) : T{0});
  // The next sum may reuse the array.
  __syncthreads();
  return value;
}

}  // namespace incipit::device::cuda
