// x = f(x + bias) in place. Memory-bound; the exact GELU by Φ itself, which keeps the digits of the negative
// tail.

#include "cuda_device.hpp"
#include "device/bias_activation.hpp"
#include "number.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <Nonlinearity f>
__device__ __forceinline__ float apply(float x) {
  if constexpr (f == Nonlinearity::gelu) {
    return x * normcdff(x);
  } else if constexpr (f == Nonlinearity::gelu_tanh) {
    // x/2·(1 + tanh(u)) = x / (1 + exp(−2u)), free of cancellation.
    return x / (1.0F + expf(-x * (1.59576912F + 0.07135481F * x * x)));
  } else {
    return x < 0.0F ? 0.0F : x;
  }
}

template <Nonlinearity f, int width, Number T>
__global__ void __launch_bounds__(row_threads) bias_activation_kernel(BiasActivation<T> op, int along) {
  for_each_element(op.rows, op.d / width, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * op.d + column * width;
    Pack<float, width> x = load_wide<width>(op.x, i);
    Pack<float, width> bias = {};
    if (op.bias != nullptr) bias = load<width>(op.bias, column * width);
    for (int u = 0; u < width; ++u) x.value[u] = apply<f>(x.value[u] + bias.value[u]);
    store_rounded(op.x, i, x);
  });
}

template <Nonlinearity f, int width, Number T>
void run(const BiasActivation<T>& op, const Call& call) {
  launch_rows(call, op.rows, op.d / width, bias_activation_kernel<f, width, T>, op);
}

template <Nonlinearity f, Number T>
void run(const BiasActivation<T>& op, const Call& call) {
  packable<widest<T>>(op.d, op.x, op.bias) ? run<f, widest<T>>(op, call) : run<f, 1>(op, call);
}

template <Number T>
void run(const BiasActivation<T>& op, const Call& call) {
  switch (op.f) {
    case Nonlinearity::gelu:
      return run<Nonlinearity::gelu>(op, call);
    case Nonlinearity::gelu_tanh:
      return run<Nonlinearity::gelu_tanh>(op, call);
    case Nonlinearity::relu:
      return run<Nonlinearity::relu>(op, call);
  }
}

}  // namespace

void CudaDevice::bias_activation(const BiasActivation<float>& op) {
  run(op, begin("bias_activation", {op.rows, op.d}));
}
void CudaDevice::bias_activation(const BiasActivation<Float16>& op) {
  run(op, begin("bias_activation", {op.rows, op.d}));
}
void CudaDevice::bias_activation(const BiasActivation<BFloat16>& op) {
  run(op, begin("bias_activation", {op.rows, op.d}));
}

}  // namespace incipit::device
