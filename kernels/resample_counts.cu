// On how many probes of each subject each set of latents fires, in every draw: a thread for each draw walks
// the probes in their order, with a counter for each of some subjects in shared memory. No atomics.

#include "cuda_device.hpp"
#include "device/resample_counts.hpp"
#include "launch.cuh"
#include "resamples.cuh"
#include "shared.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// Subjects that a block counts; more are shared out over blocks.
constexpr int block_subjects = 16;

template <class View>
__global__ void __launch_bounds__(draw_threads, draw_blocks)
    resample_counts_kernel(ResampleCounts op, std::int64_t draws, std::int32_t* fired, double* strength) {
  struct Counters;
  const Shared<int> counters = shared_array<Counters, int, block_subjects * draw_threads>();
  const std::int64_t draw = draw_of_thread();
  if (draw >= draws) return;
  const Resamples& of = op.of;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t set = blockIdx.y % op.sets;
  const int first = static_cast<int>(blockIdx.y / op.sets) * block_subjects;
  const int left = static_cast<int>(of.subjects) - first;
  const int here = left < block_subjects ? left : block_subjects;
  const int own = op.own[set] - first;
  const double* sum = op.sum + set * of.n;

  for (int c = 0; c < here; ++c) counters[c * draw_threads + thread] = 0;
  double total = 0;
#pragma unroll 4
  for (std::int64_t i = 0; i < of.n; ++i) {
    const double a = sum[i];
    if (!(a > 0)) continue;
    const int subject = View::subject(of, i, draw) - first;
    if (subject < 0 || subject >= here) continue;
    const int weight = View::weight(of, i, draw);
    counters[subject * draw_threads + thread] += weight;
    if (subject == own) total += static_cast<double>(weight) * a;
  }
  for (int c = 0; c < here; ++c)
    fired[(set * of.subjects + first + c) * draws + draw] = counters[c * draw_threads + thread];
  if (own >= 0 && own < here) strength[set * draws + draw] = total;
}

}  // namespace

void CudaDevice::resample_counts(const ResampleCounts& op) {
  const Call call =
      begin("resample_counts", {op.of.n, op.of.subjects, op.sets, op.of.bootstrap, op.of.permutations});
  for_each_view([&](auto view) {
    using View = decltype(view);
    const std::int64_t draws = View::draws(op.of);
    launch(call,
           {.blocks = divide_up(draws, draw_threads),
            .threads = draw_threads,
            .across = op.sets * divide_up(op.of.subjects, block_subjects)},
           resample_counts_kernel<View>, op, draws, View::of(op.fired), View::of(op.strength));
  });
}

}  // namespace incipit::device
