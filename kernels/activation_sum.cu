// The activations of sets of latents on each probe, in fp64 and in the order of its row: a thread for each
// probe.

#include "cuda_device.hpp"
#include "device/activation_sum.hpp"
#include "launch.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int sum_threads = 128;

__global__ void __launch_bounds__(sum_threads) activation_sum_kernel(ActivationSum op) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * sum_threads + threadIdx.x;
  if (i >= op.n) return;
  for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place) {
    const float a = op.value[place];
    if (!(a > 0)) continue;
    const std::int32_t j = op.index[place];
    for (std::int64_t at = op.start[j]; at < op.start[j + 1]; ++at)
      op.sum[op.set[at] * op.n + i] += static_cast<double>(a);
  }
}

}  // namespace

void CudaDevice::activation_sum(const ActivationSum& op) {
  const Call call = begin("activation_sum", {op.n, op.keep, op.h, op.sets});
  zero(op.sum, static_cast<std::size_t>(op.sets * op.n) * sizeof(*op.sum));
  launch(call, {.blocks = divide_up(op.n, sum_threads), .threads = sum_threads}, activation_sum_kernel, op);
}

}  // namespace incipit::device
