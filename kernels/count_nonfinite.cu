// How many of each row are NaN or infinite; one block per row.

#include "cuda_device.hpp"
#include "device/count_nonfinite.hpp"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int most_threads = 256;

__global__ void __launch_bounds__(most_threads) count_nonfinite_kernel(CountNonfinite op) {
  const std::int64_t row = blockIdx.x;
  int count = 0;
  // An exponent of all ones, from the bits, which no compiler flag can optimise away.
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x)
    count += (__float_as_uint(op.x[row * op.d + c]) & 0x7f800000U) == 0x7f800000U ? 1 : 0;
  count = block_sum(count);
  if (threadIdx.x == 0) op.counts[row] = count;
}

}  // namespace

void CudaDevice::count_nonfinite(const CountNonfinite& op) {
  const int threads = op.d >= most_threads ? most_threads : static_cast<int>(round_up(op.d + 1, warp_lanes));
  launch(begin("count_nonfinite", {op.rows, op.d}), {.blocks = op.rows, .threads = threads},
         count_nonfinite_kernel, op);
}

}  // namespace incipit::device
