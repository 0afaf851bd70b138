// How many of each row are NaN or infinite; one block per row.

#include "cuda_device.hpp"
#include "device/count_nonfinite.hpp"
#include "launch.cuh"
#include "reduce.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

__global__ void __launch_bounds__(row_threads) count_nonfinite_kernel(CountNonfinite op) {
  const std::int64_t row = blockIdx.x;
  int count = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x)
    count += nonfinite(op.x[row * op.d + c]) ? 1 : 0;
  count = block_sum(count);
  if (threadIdx.x == 0) op.counts[row] = count;
}

}  // namespace

void CudaDevice::count_nonfinite(const CountNonfinite& op) {
  launch(begin("count_nonfinite", {op.rows, op.d}), {.blocks = op.rows, .threads = row_block_threads(op.d)},
         count_nonfinite_kernel, op);
}

}  // namespace incipit::device
