#include "device/sae_decode.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"

namespace incipit::device {
namespace {

template <class T>
void subtract_latents(const SaeDecode<T>& op, std::int64_t row, std::int64_t begin, std::int64_t end,
                      T* out) {
  for (std::int64_t t = begin; t < end; ++t) {
    const T value = op.value[row * op.keep + t];
    if (value > 0) host::axpy(-value, op.decoder + op.index[row * op.keep + t] * op.d, out, op.d);
  }
}

template <class T>
void write_slopes(const SaeDecode<T>& op, std::int64_t row) {
  for (std::int64_t t = 0; t < op.keep; ++t) {
    double slope = 0;
    if (op.value[row * op.keep + t] > 0) {
      const T* latent = op.decoder + op.index[row * op.keep + t] * op.d;
      slope =
          -2 * static_cast<double>(op.weight_multi) * host::dot(op.residual_multi + row * op.d, latent, op.d);
      if (t < op.k)
        slope -= 2 * static_cast<double>(op.weight) * host::dot(op.residual + row * op.d, latent, op.d);
    }
    op.slope[row * op.keep + t] = static_cast<T>(slope);
  }
}

template <class T>
void run(const SaeDecode<T>& op, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < op.n; ++row) {
    T* residual = op.residual + row * op.d;
    std::copy_n(op.x + row * op.d, op.d, residual);
    subtract_latents(op, row, 0, op.k, residual);
    op.square[row] = host::dot(residual, residual, op.d);
    if (op.residual_multi == nullptr) continue;

    T* multi = op.residual_multi + row * op.d;
    std::copy_n(residual, op.d, multi);
    subtract_latents(op, row, op.k, op.keep, multi);
    op.square_multi[row] = host::dot(multi, multi, op.d);
    if (op.slope != nullptr) write_slopes(op, row);
  }
}

}  // namespace

void HostDevice::sae_decode(const SaeDecode<float>& op) {
  run(op, threads_);
}
void HostDevice::sae_decode(const SaeDecode<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
