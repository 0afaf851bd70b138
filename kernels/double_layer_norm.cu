// The two layer norms of a parallel residual in one pass over x: a block holds its row in registers, so the
// mean and the variance about it take no second reading. Rows too long for that are read three times.

#include <algorithm>

#include "cuda_device.hpp"
#include "device/double_layer_norm.hpp"
#include "launch.cuh"
#include "pack.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int most_threads = 1024;
/// Numbers of a row that a thread holds.
constexpr int held = 16;

template <int width>
__device__ __forceinline__ void write(const DoubleLayerNorm& op, std::int64_t row, std::int64_t column,
                                      const Pack<float, width>& normal) {
  const auto scale = [&](const float* weights, const float* biases, float* out) {
    const Pack<float, width> weight = load<width>(weights, column);
    const Pack<float, width> bias = load<width>(biases, column);
    Pack<float, width> y;
    for (int u = 0; u < width; ++u) y.value[u] = normal.value[u] * weight.value[u] + bias.value[u];
    store(out, row * op.d + column, y);
  };
  if (op.out_b != nullptr) scale(op.weight_b, op.bias_b, op.out_b);
  scale(op.weight_a, op.bias_a, op.out_a);
}

template <int width>
__global__ void __launch_bounds__(most_threads) double_layer_norm_kernel(DoubleLayerNorm op) {
  constexpr int packs = held / width;
  const std::int64_t row = blockIdx.x;
  Pack<float, width> x[packs];
  const auto column = [&](int p) {
    return (static_cast<std::int64_t>(p) * blockDim.x + threadIdx.x) * width;
  };

  float sum = 0;
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    if (column(p) >= op.d) continue;
    x[p] = load<width>(op.x, row * op.d + column(p));
    for (int u = 0; u < width; ++u) sum += x[p].value[u];
  }
  const float mean = block_sum(sum) / static_cast<float>(op.d);

  float squares = 0;
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    if (column(p) >= op.d) continue;
    for (int u = 0; u < width; ++u) {
      x[p].value[u] -= mean;
      squares += x[p].value[u] * x[p].value[u];
    }
  }
  const float inverse = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(op.d) + op.eps);

#pragma unroll
  for (int p = 0; p < packs; ++p) {
    if (column(p) >= op.d) continue;
    for (int u = 0; u < width; ++u) x[p].value[u] *= inverse;
    write<width>(op, row, column(p), x[p]);
  }
}

__global__ void __launch_bounds__(most_threads) long_layer_norm_kernel(DoubleLayerNorm op) {
  const std::int64_t row = blockIdx.x;
  const float* x = op.x + row * op.d;
  float sum = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) sum += x[c];
  const float mean = block_sum(sum) / static_cast<float>(op.d);
  float squares = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) squares += (x[c] - mean) * (x[c] - mean);
  const float inverse = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(op.d) + op.eps);
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x)
    write<1>(op, row, c, Pack<float, 1>{{(x[c] - mean) * inverse}});
}

/// As few threads as hold a row, in whole warps.
int threads_for(std::int64_t d) {
  return static_cast<int>(std::min<std::int64_t>(round_up(divide_up(d, held), warp_lanes), most_threads));
}

}  // namespace

void CudaDevice::double_layer_norm(const DoubleLayerNorm& op) {
  if (op.d == 0) return;
  const Call call = begin("double_layer_norm", {op.rows, op.d});
  const Grid grid{.blocks = op.rows, .threads = threads_for(op.d)};
  if (op.d > most_threads * held) {
    launch(call, grid, long_layer_norm_kernel, op);
  } else if (packable<4>(op.d, op.x, op.weight_a, op.bias_a, op.out_a, op.weight_b, op.bias_b, op.out_b)) {
    launch(call, grid, double_layer_norm_kernel<4>, op);
  } else {
    launch(call, grid, double_layer_norm_kernel<1>, op);
  }
}

}  // namespace incipit::device
