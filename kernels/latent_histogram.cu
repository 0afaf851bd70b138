// How often each latent fires on the probes of each subject. Integers are counted atomically: exact in any
// order.

#include "cuda_device.hpp"
#include "device/latent_histogram.hpp"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int histogram_threads = 128;

/// A thread for each probe.
__global__ void __launch_bounds__(histogram_threads) latent_histogram_kernel(LatentHistogram op) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * histogram_threads + threadIdx.x;
  bool fires = i >= op.n;
  for (std::int64_t place = i * op.keep; i < op.n && place < (i + 1) * op.keep; ++place) {
    if (!(op.value[place] > 0)) continue;
    atomicAdd(op.count + op.index[place] * op.subjects + op.subject[i], 1);
    fires = true;
  }
  const int silent = block_sum(fires ? 0 : 1);
  if (threadIdx.x == 0) atomicAdd(op.silent, silent);
}

}  // namespace

void CudaDevice::latent_histogram(const LatentHistogram& op) {
  const Call call = begin("latent_histogram", {op.n, op.keep, op.h, op.subjects});
  zero(op.count, static_cast<std::size_t>(op.h * op.subjects) * sizeof(*op.count));
  zero(op.silent, sizeof(*op.silent));
  launch(call, {.blocks = divide_up(op.n, histogram_threads), .threads = histogram_threads},
         latent_histogram_kernel, op);
}

}  // namespace incipit::device
