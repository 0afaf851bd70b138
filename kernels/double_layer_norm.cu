// The two layer norms of a parallel residual in one pass over x: a block holds its row in registers, so the
// mean and the variance about it take no second reading. Rows too long for that are read three times.

#include "cuda_device.hpp"
#include "device/double_layer_norm.hpp"
#include "launch.cuh"
#include "number.cuh"
#include "pack.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int most_threads = 1024;
/// Packs of a row that a thread holds: as many as fit its registers.
template <int width>
constexpr int held_packs = width == 4 ? 4 : 8;
/// The longest row that a block holds.
template <int width>
constexpr std::int64_t longest_held = most_threads* held_packs<width>* width;

/// Columns are ints throughout: a row is far shorter than 2³¹, and registers are what limits this kernel.
template <int width, Number Out>
__device__ __forceinline__ void scale(const Pack<float, width>& normal, const float* weights,
                                      const float* biases, Out* out, int column) {
  const Pack<float, width> weight = load<width>(weights, column);
  const Pack<float, width> bias = load<width>(biases, column);
  Pack<float, width> y;
  for (int u = 0; u < width; ++u) y.value[u] = normal.value[u] * weight.value[u] + bias.value[u];
  store_rounded(out, column, y);
}

template <int width, Number Out>
__global__ void __launch_bounds__(most_threads) double_layer_norm_kernel(DoubleLayerNorm<Out> op) {
  constexpr int packs = held_packs<width>;
  const std::int64_t begin = blockIdx.x * op.d;
  const int d = static_cast<int>(op.d);
  const int first = static_cast<int>(threadIdx.x) * width;
  const int step = static_cast<int>(blockDim.x) * width;
  Pack<float, width> x[packs];

  float sum = 0;
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    if (first + p * step >= d) continue;
    x[p] = load<width>(op.x + begin, first + p * step);
    for (int u = 0; u < width; ++u) sum += x[p].value[u];
  }
  const float mean = block_sum(sum) / static_cast<float>(d);

  float squares = 0;
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    if (first + p * step >= d) continue;
    for (int u = 0; u < width; ++u) {
      x[p].value[u] -= mean;
      squares += x[p].value[u] * x[p].value[u];
    }
  }
  const float inverse = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(d) + op.eps);

#pragma unroll
  for (int p = 0; p < packs; ++p) {
    const int column = first + p * step;
    if (column >= d) continue;
    for (int u = 0; u < width; ++u) x[p].value[u] *= inverse;
    if (op.out_b != nullptr) scale(x[p], op.weight_b, op.bias_b, op.out_b + begin, column);
    scale(x[p], op.weight_a, op.bias_a, op.out_a + begin, column);
  }
}

template <Number Out>
__global__ void __launch_bounds__(most_threads) long_layer_norm_kernel(DoubleLayerNorm<Out> op) {
  const std::int64_t row = blockIdx.x;
  const float* x = op.x + row * op.d;
  float sum = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) sum += x[c];
  const float mean = block_sum(sum) / static_cast<float>(op.d);
  float squares = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) squares += (x[c] - mean) * (x[c] - mean);
  const float inverse = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(op.d) + op.eps);
  for (int c = static_cast<int>(threadIdx.x); c < op.d; c += static_cast<int>(blockDim.x)) {
    const Pack<float, 1> normal = {{(x[c] - mean) * inverse}};
    if (op.out_b != nullptr) scale(normal, op.weight_b, op.bias_b, op.out_b + row * op.d, c);
    scale(normal, op.weight_a, op.bias_a, op.out_a + row * op.d, c);
  }
}

template <int width, Number Out>
void run(const DoubleLayerNorm<Out>& op, const Call& call) {
  // As few threads as hold a row, in whole warps.
  const std::int64_t threads = round_up(divide_up(op.d, held_packs<width> * width), warp_lanes);
  if (op.d > longest_held<width>) {
    launch(call, {.blocks = op.rows, .threads = most_threads}, long_layer_norm_kernel<Out>, op);
  } else {
    launch(call, {.blocks = op.rows, .threads = static_cast<int>(threads)},
           double_layer_norm_kernel<width, Out>, op);
  }
}

template <Number Out>
void run(const DoubleLayerNorm<Out>& op, const Call& call) {
  if (op.d == 0) return;
  packable<4>(op.d, op.x, op.weight_a, op.bias_a, op.out_a, op.weight_b, op.bias_b, op.out_b)
      ? run<4>(op, call)
      : run<1>(op, call);
}

}  // namespace

void CudaDevice::double_layer_norm(const DoubleLayerNorm<float>& op) {
  run(op, begin("double_layer_norm", {op.rows, op.d}));
}
void CudaDevice::double_layer_norm(const DoubleLayerNorm<Float16>& op) {
  run(op, begin("double_layer_norm", {op.rows, op.d}));
}
void CudaDevice::double_layer_norm(const DoubleLayerNorm<BFloat16>& op) {
  run(op, begin("double_layer_norm", {op.rows, op.d}));
}

}  // namespace incipit::device
