// The area under the ROC curve in every draw: a thread for each draw walks the probes by rank and counts
// pairs in integers.

#include <cmath>

#include "cuda_device.hpp"
#include "device/resample_auc.hpp"
#include "launch.cuh"
#include "resamples.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <class View>
__global__ void __launch_bounds__(draw_threads, draw_blocks)
    resample_auc_kernel(ResampleAuc op, std::int64_t draws, double* area) {
  const std::int64_t draw = draw_of_thread();
  if (draw >= draws) return;
  const Resamples& of = op.of;
  const std::int64_t set = blockIdx.y;
  const int own = op.own[set];
  const std::int32_t* order = op.order + set * of.n;
  const std::int32_t* last = op.last + set * of.n;
  std::int64_t twice = 0;  // pairs (positive above negative), ties once
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  std::int64_t tied_positive = 0;  // of the score at hand
  std::int64_t tied_negative = 0;
#pragma unroll 4
  for (std::int64_t at = 0; at < of.n; ++at) {
    const std::int32_t i = order[at];
    const int weight = View::weight(of, i, draw);
    const bool is_own = View::subject(of, i, draw) == own;
    tied_positive += is_own ? weight : 0;
    tied_negative += is_own ? 0 : weight;
    if (last[at] == 0) continue;
    twice += tied_positive * (2 * negative + tied_negative);
    positive += tied_positive;
    negative += tied_negative;
    tied_positive = 0;
    tied_negative = 0;
  }
  const double pairs = static_cast<double>(positive) * static_cast<double>(negative);
  area[set * draws + draw] = pairs > 0 ? static_cast<double>(twice) / (2 * pairs) : static_cast<double>(NAN);
}

}  // namespace

void CudaDevice::resample_auc(const ResampleAuc& op) {
  const Call call = begin("resample_auc", {op.of.n, op.sets, op.of.bootstrap, op.of.permutations});
  for_each_view([&](auto view) {
    using View = decltype(view);
    const std::int64_t draws = View::draws(op.of);
    launch(call, {.blocks = divide_up(draws, draw_threads), .threads = draw_threads, .across = op.sets},
           resample_auc_kernel<View>, op, draws, View::of(op.area));
  });
}

}  // namespace incipit::device
