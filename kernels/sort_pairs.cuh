#pragma once

#include <cstdint>
#include <utility>

#include "launch.cuh"
#include "memory.cuh"
#include "reduce.cuh"

/// A stable sort of numbered things by small integer keys: eight bits at a time, least significant first. The
/// order of equal keys is that of their numbers.
namespace incipit::device::cuda {

inline constexpr int sort_threads = 256;
inline constexpr int sort_warps = sort_threads / warp_lanes;
inline constexpr int radix = 256;
/// Things of one block: each warp takes a run of them, a lane at a time.
inline constexpr int warp_items = 8 * warp_lanes;
inline constexpr int block_items = sort_warps * warp_items;

struct Pairs {
  std::int32_t* key;
  std::int32_t* item;
};

/// The lanes whose digit is that of this one. Lanes without one (−1) are a group of their own.
__device__ __forceinline__ unsigned lanes_alike(int digit) {
  unsigned alike = all_lanes;
  for (int bit = 0; bit < 9; ++bit) {
    const bool set = (static_cast<unsigned>(digit) >> static_cast<unsigned>(bit) & 1U) != 0;
    const unsigned votes = __ballot_sync(all_lanes, set);
    alike &= set ? votes : ~votes;
  }
  return alike;
}

/// Counts of each warp's digits in its run, in shared memory as [warp][digit]; visit(i, digit, rank) for each
/// item with its rank among the equal digits of the run.
template <class Visit>
__device__ __forceinline__ void walk_run(const std::int32_t* key, std::int64_t n, int shift,
                                         Shared<int> counts, Visit visit) {
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warp = static_cast<int>(threadIdx.x) / warp_lanes;
  for (int i = lane; i < radix; i += warp_lanes) counts[warp * radix + i] = 0;
  __syncwarp();
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * block_items + warp * warp_items;
  for (int step = 0; step < warp_items; step += warp_lanes) {
    const std::int64_t i = begin + step + lane;
    const int digit = i < n ? key[i] >> shift & (radix - 1) : -1;
    const unsigned alike = lanes_alike(digit);
    const int before = __popc(alike & ((1U << lane) - 1));
    const int already = digit >= 0 ? int(counts[warp * radix + digit]) : 0;
    __syncwarp();
    // The first of the equal lanes counts for all.
    if (digit >= 0 && before == 0) counts[warp * radix + digit] = already + __popc(alike);
    __syncwarp();
    if (digit >= 0) visit(i, digit, already + before);
  }
}

/// table[digit][block] = items of the block with the digit.
static __global__ void __launch_bounds__(sort_threads)
    sort_count_kernel(const std::int32_t* key, std::int64_t n, int shift, std::int32_t* table) {
  struct Counts;
  const Shared<int> counts = shared_array<Counts, int, sort_warps * radix>();
  walk_run(key, n, shift, counts, [](std::int64_t, int, int) {});
  __syncthreads();
  const int digit = static_cast<int>(threadIdx.x);
  int sum = 0;
  for (int warp = 0; warp < sort_warps; ++warp) sum += counts[warp * radix + digit];
  table[static_cast<std::int64_t>(digit) * gridDim.x + blockIdx.x] = sum;
}

inline constexpr int scan_threads = 1024;

/// Sums of all entries before each one, in place, by one block.
static __global__ void __launch_bounds__(scan_threads) sort_scan_kernel(std::int32_t* table, std::int64_t n) {
  struct Sums;
  constexpr int warps = scan_threads / warp_lanes;
  const Shared<int> sums = shared_array<Sums, int, warps>();
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warp = static_cast<int>(threadIdx.x) / warp_lanes;
  int carried = 0;
  for (std::int64_t begin = 0; begin < n; begin += scan_threads) {
    const std::int64_t i = begin + threadIdx.x;
    const int value = i < n ? table[i] : 0;
    int through = value;
    for (int delta = 1; delta < warp_lanes; delta *= 2) {
      const int other = __shfl_up_sync(all_lanes, through, delta);
      if (lane >= delta) through += other;
    }
    if (lane == warp_lanes - 1) sums[warp] = through;
    __syncthreads();
    const int mine = sums[lane];
    const int before = warp_sum(lane < warp ? mine : 0);
    const int all = warp_sum(mine);
    if (i < n) table[i] = carried + before + through - value;
    carried += all;
    __syncthreads();
  }
}

static __global__ void __launch_bounds__(sort_threads)
    sort_place_kernel(Pairs from, std::int64_t n, int shift, const std::int32_t* table, Pairs to) {
  struct Counts;
  const Shared<int> counts = shared_array<Counts, int, sort_warps * radix>();
  walk_run(from.key, n, shift, counts, [](std::int64_t, int, int) {});
  __syncthreads();
  // Where each warp's first item of a digit goes; a thread for each digit.
  const int mine = static_cast<int>(threadIdx.x);
  int place = table[static_cast<std::int64_t>(mine) * gridDim.x + blockIdx.x];
  struct Places;
  const Shared<int> places = shared_array<Places, int, sort_warps * radix>();
  for (int warp = 0; warp < sort_warps; ++warp) {
    const int here = counts[warp * radix + mine];
    places[warp * radix + mine] = place;
    place += here;
  }
  __syncthreads();
  const int warp = static_cast<int>(threadIdx.x) / warp_lanes;
  walk_run(from.key, n, shift, counts, [&](std::int64_t i, int digit, int rank) {
    const int where = places[warp * radix + digit] + rank;
    to.key[where] = from.key[i];
    to.item[where] = from.item[i];
  });
}

/// Sorts n pairs with keys in [0, keys); `spare` is as large. Returns where they are then: `pairs` or
/// `spare`.
inline Pairs sort_pairs(Pairs pairs, Pairs spare, std::int64_t n, std::int64_t keys, Memory& memory,
                        const Call& call) {
  const std::int64_t blocks = divide_up(n, block_items);
  const Scratch<std::int32_t> table(memory, blocks * radix, call);
  for (int shift = 0; ((keys - 1) >> shift) > 0; shift += 8) {
    launch(call, {.blocks = blocks, .threads = sort_threads}, sort_count_kernel, pairs.key, n, shift,
           table.get());
    launch(call, {.blocks = 1, .threads = scan_threads}, sort_scan_kernel, table.get(), blocks * radix);
    launch(call, {.blocks = blocks, .threads = sort_threads}, sort_place_kernel, pairs, n, shift, table.get(),
           spare);
    std::swap(pairs, spare);
  }
  return pairs;
}

}  // namespace incipit::device::cuda
