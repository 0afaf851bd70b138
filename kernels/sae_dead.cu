// How long each latent has been idle, and the list of those idle for too long.

#include "cuda_device.hpp"
#include "device/sae_dead.hpp"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int idle_threads = 256;

template <class T>
__global__ void __launch_bounds__(idle_threads) grow_idle_kernel(SaeIdle<T> op) {
  const std::int64_t latent = static_cast<std::int64_t>(blockIdx.x) * idle_threads + threadIdx.x;
  if (latent < op.problems * op.h) op.idle[latent] += op.n;
}

/// Several rows may fire the same latent: they all write the same 0.
template <class T>
__global__ void __launch_bounds__(idle_threads) reset_idle_kernel(SaeIdle<T> op) {
  const std::int64_t pair = static_cast<std::int64_t>(blockIdx.x) * idle_threads + threadIdx.x;
  if (pair >= op.problems * op.n * op.k) return;
  const std::int64_t row = pair / op.k;
  const std::int64_t place = row * op.keep + pair % op.k;
  if (op.value[place] > 0) op.idle[row / op.n * op.h + op.index[place]] = 0;
}

template <class T>
void run(const SaeIdle<T>& op, const Call& call) {
  launch(call, {.blocks = divide_up(op.problems * op.h, idle_threads), .threads = idle_threads},
         grow_idle_kernel<T>, op);
  launch(call, {.blocks = divide_up(op.problems * op.n * op.k, idle_threads), .threads = idle_threads},
         reset_idle_kernel<T>, op);
}

constexpr int list_threads = 1024;

/// One block walks the latents of a problem and keeps their order: each thread's place is the number of dead
/// ones before it.
__global__ void __launch_bounds__(list_threads) list_dead_kernel(SaeDead op) {
  struct Counts;
  constexpr int warps = list_threads / warp_lanes;
  const Shared<int> counts = shared_array<Counts, int, warps>();
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warp = static_cast<int>(threadIdx.x) / warp_lanes;
  const std::int64_t problem = blockIdx.x;
  const std::int64_t* idle = op.idle + problem * op.h;
  std::int32_t* list = op.dead + problem * op.h;
  const std::int64_t dead_after = op.dead_after[problem];
  std::int64_t listed = 0;
  for (std::int64_t begin = 0; begin < op.h; begin += list_threads) {
    const std::int64_t latent = begin + threadIdx.x;
    const bool dead = latent < op.h && idle[latent] >= dead_after;
    const unsigned votes = __ballot_sync(all_lanes, dead);
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    const int mine = counts[lane];
    const int before = warp_sum(lane < warp ? mine : 0);
    const int all = warp_sum(mine);
    if (dead) list[listed + before + __popc(votes & ((1U << lane) - 1))] = static_cast<std::int32_t>(latent);
    listed += all;
    __syncthreads();
  }
  if (threadIdx.x == 0) op.count[problem] = listed;
}

}  // namespace

void CudaDevice::sae_idle(const SaeIdle<float>& op) {
  run(op, begin("sae_idle", {op.problems, op.n, op.h, op.k}));
}
void CudaDevice::sae_idle(const SaeIdle<double>& op) {
  run(op, begin("sae_idle (fp64)", {op.problems, op.n, op.h, op.k}));
}

void CudaDevice::sae_dead(const SaeDead& op) {
  static_assert(list_threads / warp_lanes == warp_lanes);
  launch(begin("sae_dead", {op.problems, op.h}), {.blocks = op.problems, .threads = list_threads},
         list_dead_kernel, op);
}

}  // namespace incipit::device
