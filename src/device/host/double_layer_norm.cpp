#include "device/double_layer_norm.hpp"

#include <cmath>

#include "device/host/host_device.hpp"
#include "device/host/lanes.hpp"

namespace incipit::device {
namespace {

template <Number Out>
void scale_shift(std::int64_t d, const float* x, float mean, float inverse, const float* weight,
                 const float* bias, Out* out) {
#pragma omp simd
  for (std::int64_t j = 0; j < d; ++j) {
    out[j] = round_to<Out>((x[j] - mean) * inverse * weight[j] + bias[j]);
  }
}

template <Number Out>
void normalise(const DoubleLayerNorm<Out>& op, int threads) {
  const auto count = static_cast<float>(op.d);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    const float* x = op.x + i * op.d;
    // Two passes over a row that stays in the nearest cache: the variance without cancellation.
    const float mean = host::lane_sum(x, op.d, [](auto v) { return v; }) / count;
    const float variance =
        host::lane_sum(x, op.d, [mean](auto v) { return (v - mean) * (v - mean); }) / count;
    const float inverse = 1.0F / std::sqrt(variance + op.eps);
    if (op.out_b != nullptr) {
      scale_shift(op.d, x, mean, inverse, op.weight_b, op.bias_b, op.out_b + i * op.d);
    }
    scale_shift(op.d, x, mean, inverse, op.weight_a, op.bias_a, op.out_a + i * op.d);
  }
}

}  // namespace

void HostDevice::double_layer_norm(const DoubleLayerNorm<float>& op) {
  normalise(op, threads_);
}
void HostDevice::double_layer_norm(const DoubleLayerNorm<Float16>& op) {
  normalise(op, threads_);
}
void HostDevice::double_layer_norm(const DoubleLayerNorm<BFloat16>& op) {
  normalise(op, threads_);
}

}  // namespace incipit::device
