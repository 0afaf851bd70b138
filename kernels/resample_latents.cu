// The chance that the latents of a set fire, in every draw: a thread for each draw walks the latents of the
// set and the groups that fire each.

#include "cuda_device.hpp"
#include "device/resample_latents.hpp"
#include "launch.cuh"
#include "resamples.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <class View>
__global__ void __launch_bounds__(draw_threads, draw_blocks)
    resample_latents_kernel(ResampleLatents op, std::int64_t draws, double* out) {
  const std::int64_t draw = draw_of_thread();
  if (draw >= draws) return;
  const Resamples& of = op.of;
  const std::int64_t set = blockIdx.y;
  const int own = op.own[set];
  double total = 0;
  for (std::int64_t at = op.start[set]; at < op.start[set + 1]; ++at) {
    const std::int32_t latent = op.latent[at];
    int fired = 0;
    int before = -1;
#pragma unroll 4
    for (int p = op.group_start[latent]; p < op.group_start[latent + 1]; ++p) {
      const int group = op.group_list[p];
      if (group != before && View::group_subject(of, group, draw) == own)
        fired += View::group_weight(of, group, draw);
      before = group;
    }
    total += op.chance[own * op.chances + fired];
  }
  out[set * draws + draw] = total;
}

}  // namespace

void CudaDevice::resample_latents(const ResampleLatents& op) {
  const Call call = begin("resample_latents", {op.of.n, op.sets, op.of.bootstrap, op.of.permutations});
  for_each_view([&](auto view) {
    using View = decltype(view);
    const std::int64_t draws = View::draws(op.of);
    launch(call, {.blocks = divide_up(draws, draw_threads), .threads = draw_threads, .across = op.sets},
           resample_latents_kernel<View>, op, draws, View::of(op.total));
  });
}

}  // namespace incipit::device
