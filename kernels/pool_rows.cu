// One row for each sequence of rows: their mean, their first, or the largest of each column. A thread takes a
// column of a sequence and walks its rows in order.

#include <cstdint>

#include "cuda_device.hpp"
#include "device/pool_rows.hpp"
#include "launch.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int pool_threads = 128;

__global__ void __launch_bounds__(pool_threads) pool_rows_kernel(PoolRows op) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * pool_threads + threadIdx.x;
  if (column >= op.d) return;
  const std::int64_t sequence = blockIdx.x;
  const std::int64_t begin = op.starts[sequence];
  const std::int64_t end = op.pool == Pool::first ? begin + 1 : op.starts[sequence + 1];
  float result = op.in[begin * op.d + column];
#pragma unroll 4
  for (std::int64_t row = begin + 1; row < end; ++row) {
    const float x = op.in[row * op.d + column];
    if (op.pool == Pool::mean) {
      result += x;
    } else {
      // Written so that NaN on either side stays.
      result = result >= x || result != result ? result : x;
    }
  }
  if (op.pool == Pool::mean) result /= static_cast<float>(end - begin);
  op.out[sequence * op.d + column] = result;
}

}  // namespace

void CudaDevice::pool_rows(const PoolRows& op) {
  launch(begin("pool_rows", {op.sequences, op.d}),
         {.blocks = op.sequences, .threads = pool_threads, .across = divide_up(op.d, pool_threads)},
         pool_rows_kernel, op);
}

}  // namespace incipit::device
