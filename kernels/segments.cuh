#pragma once

#include <cstdint>

#include "launch.cuh"

/// Where the runs of equal keys of a sorted array begin.
namespace incipit::device::cuda {

inline constexpr int segment_threads = 256;

/// start[k] = the first place whose key is at least k, k = 0..keys.
static __global__ void __launch_bounds__(segment_threads)
    segment_starts_kernel(const std::int32_t* key, std::int64_t n, std::int64_t keys, std::int32_t* start) {
  const std::int64_t wanted = static_cast<std::int64_t>(blockIdx.x) * segment_threads + threadIdx.x;
  if (wanted > keys) return;
  std::int64_t low = 0;
  std::int64_t high = n;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (key[middle] < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  start[wanted] = static_cast<std::int32_t>(low);
}

inline void segment_starts(const std::int32_t* key, std::int64_t n, std::int64_t keys, std::int32_t* start,
                           const Call& call) {
  launch(call, {.blocks = divide_up(keys + 1, segment_threads), .threads = segment_threads},
         segment_starts_kernel, key, n, keys, start);
}

}  // namespace incipit::device::cuda
