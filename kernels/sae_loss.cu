// The terms of the SAE's loss from squares per row, summed in one fixed order, a block for each problem.

#include "cuda_device.hpp"
#include "device/sae_loss.hpp"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int loss_threads = 1024;

__device__ __forceinline__ double sum(const double* values, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += loss_threads) total += values[i];
  return block_sum(total);
}

__global__ void __launch_bounds__(loss_threads)
    sae_loss_kernel(SaeLoss op, double multi_share, double auxiliary_share, double smallest_share) {
  const std::int64_t row = blockIdx.x * op.n;
  const auto size = static_cast<double>(op.n * op.d);
  const double square = sum(op.square + row, op.n);
  const double multi = sum(op.square_multi + row, op.n);
  const double auxiliary = op.square_auxiliary != nullptr ? sum(op.square_auxiliary + row, op.n) : 0;
  if (threadIdx.x != 0) return;
  double* terms = op.terms + 4 * blockIdx.x;
  const double least = smallest_share * size;
  terms[0] = square / size;
  terms[1] = multi / size;
  terms[2] = op.square_auxiliary != nullptr ? auxiliary / (square < least ? least : square) : 0;
  terms[3] = terms[0] + terms[1] * multi_share + terms[2] * auxiliary_share;
}

}  // namespace

void CudaDevice::sae_loss(const SaeLoss& op) {
  launch(begin("sae_loss", {op.problems, op.n, op.d}), {.blocks = op.problems, .threads = loss_threads},
         sae_loss_kernel, op, SaeLoss::multi_share, SaeLoss::auxiliary_share, SaeLoss::smallest_share);
}

}  // namespace incipit::device
