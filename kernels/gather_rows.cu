// out[i] = in[index[i]]: the embedding of tokens, and the residuals at the last tokens. A copy.

#include "cuda_device.hpp"
#include "device/gather_rows.hpp"
#include "pack.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <int width>
__global__ void __launch_bounds__(row_threads) gather_rows_kernel(GatherRows op, int along) {
  for_each_element(op.rows, op.d / width, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t from = op.index[row] * op.d;
    store(op.out, row * op.d + column * width, load<width>(op.in, from + column * width));
  });
}

template <int width>
void run(const GatherRows& op, const Call& call) {
  launch_rows(call, op.rows, op.d / width, gather_rows_kernel<width>, op);
}

}  // namespace

void CudaDevice::gather_rows(const GatherRows& op) {
  const Call call = begin("gather_rows", {op.rows, op.d});
  packable<4>(op.d, op.in, op.out) ? run<4>(op, call) : run<1>(op, call);
}

}  // namespace incipit::device
