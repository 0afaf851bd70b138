// x += bias on every row. Memory-bound: each element is read and written once, by packs where rows allow.

#include "cuda_device.hpp"
#include "device/add_bias.hpp"
#include "pack.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <int width>
__global__ void __launch_bounds__(row_threads) add_bias_kernel(AddBias op, int along) {
  for_each_element(op.rows, op.d / width, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * op.d + column * width;
    Pack<float, width> x = load<width>(op.x, i);
    const Pack<float, width> bias = load<width>(op.bias, column * width);
    for (int u = 0; u < width; ++u) x.value[u] += bias.value[u];
    store(op.x, i, x);
  });
}

template <int width>
void run(const AddBias& op, const Call& call) {
  launch_rows(call, op.rows, op.d / width, add_bias_kernel<width>, op);
}

}  // namespace

void CudaDevice::add_bias(const AddBias& op) {
  const Call call = begin("add_bias", {op.rows, op.d});
  packable<4>(op.d, op.x, op.bias) ? run<4>(op, call) : run<1>(op, call);
}

}  // namespace incipit::device
