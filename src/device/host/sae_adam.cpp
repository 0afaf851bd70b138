#include "device/sae_adam.hpp"

#include <cmath>
#include <limits>

#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"

namespace incipit::device {
namespace {

/// Moments of latents that no longer fire decay for ever: below the normal range they become 0, as arithmetic
/// there can be a hundred times slower.
template <class T>
T flush(T value) {
  return std::abs(value) < std::numeric_limits<T>::min() ? T{0} : value;
}

template <class T>
void update_row(const SaeAdam<T>& op, const AdamCoefficients<T>& c, std::int64_t row) {
  const T* gradient = op.gradient + row * op.d;
  T* parameter = op.parameter + row * op.d;
  T* first = op.first + row * op.d;
  T* second = op.second + row * op.d;
  const T parallel = op.unit_rows ? static_cast<T>(host::dot(gradient, parameter, op.d)) : T{0};
#pragma omp simd
  for (std::int64_t i = 0; i < op.d; ++i) {
    const T g = gradient[i] - parallel * parameter[i];
    const T m = flush(c.keep1 * first[i] + c.add1 * g);
    const T v = flush(c.keep2 * second[i] + c.add2 * g * g);
    first[i] = m;
    second[i] = v;
    parameter[i] -= c.rate * m / (std::sqrt(v) * c.root + c.epsilon);
  }
  if (!op.unit_rows) return;
  const double norm = std::sqrt(host::dot(parameter, parameter, op.d));
  const T scale = norm > 0 ? static_cast<T>(1 / norm) : T{1};
#pragma omp simd
  for (std::int64_t i = 0; i < op.d; ++i) parameter[i] *= scale;
}

template <class T>
void run(const SaeAdam<T>& op, int threads) {
  const AdamCoefficients<T> c = adam_coefficients(op);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < op.rows; ++row) update_row(op, c, row);
}

}  // namespace

void HostDevice::sae_adam(const SaeAdam<float>& op) {
  run(op, threads_);
}
void HostDevice::sae_adam(const SaeAdam<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
