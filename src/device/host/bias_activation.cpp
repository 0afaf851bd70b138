#include "device/bias_activation.hpp"

#include "device/host/functions.hpp"
#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

template <Number T, class F>
void apply(const BiasActivation<T>& op, int threads, F f) {
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    T* x = op.x + i * op.d;
    // NOLINTNEXTLINE(bugprone-branch-clone): LLVM 14 takes the two loops for equal.
    if (op.bias == nullptr) {
#pragma omp simd
      for (std::int64_t j = 0; j < op.d; ++j) x[j] = round_to<T>(f(to_float(x[j])));
    } else {
#pragma omp simd
      for (std::int64_t j = 0; j < op.d; ++j) x[j] = round_to<T>(f(to_float(x[j]) + op.bias[j]));
    }
  }
}

template <Number T>
void activate(const BiasActivation<T>& op, int threads) {
  switch (op.f) {
    case Nonlinearity::gelu:
      return apply(op, threads, [](float x) { return host::gelu(x); });
    case Nonlinearity::gelu_tanh:
      return apply(op, threads, [](float x) { return host::gelu_tanh(x); });
    case Nonlinearity::relu:
      return apply(op, threads, [](float x) { return x < 0.0F ? 0.0F : x; });
  }
}

}  // namespace

void HostDevice::bias_activation(const BiasActivation<float>& op) {
  activate(op, threads_);
}
void HostDevice::bias_activation(const BiasActivation<Float16>& op) {
  activate(op, threads_);
}
void HostDevice::bias_activation(const BiasActivation<BFloat16>& op) {
  activate(op, threads_);
}

}  // namespace incipit::device
