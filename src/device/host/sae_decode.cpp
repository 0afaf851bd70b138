#include "device/sae_decode.hpp"

#include <iterator>
#include <vector>

#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"

namespace incipit::device {
namespace {

/// The decoder of a row's problem.
template <class T>
const T* decoder_of(const SaeDecode<T>& op, std::int64_t row) {
  return op.decoder + row / op.n * op.h * op.d;
}

/// out = from − Σ a · decoder row over the places [begin, end).
template <class T>
void subtract_latents(const SaeDecode<T>& op, std::int64_t row, std::int64_t begin, std::int64_t end,
                      const T* from, T* out, std::vector<host::Term<T>>& terms) {
  const T* decoder = decoder_of(op, row);
  terms.clear();
  for (std::int64_t t = row * op.keep + begin; t < row * op.keep + end; ++t)
    if (op.value[t] > 0) terms.push_back({-op.value[t], decoder + op.index[t] * op.d});
  host::combine(from, terms.data(), std::ssize(terms), out, op.d);
}

template <class T>
void write_slopes(const SaeDecode<T>& op, std::int64_t row) {
  for (std::int64_t t = 0; t < op.keep; ++t) {
    double slope = 0;
    if (op.value[row * op.keep + t] > 0) {
      const T* latent = decoder_of(op, row) + op.index[row * op.keep + t] * op.d;
      slope =
          -2 * static_cast<double>(op.weight_multi) * host::dot(op.residual_multi + row * op.d, latent, op.d);
      if (t < op.k)
        slope -= 2 * static_cast<double>(op.weight) * host::dot(op.residual + row * op.d, latent, op.d);
    }
    op.slope[row * op.keep + t] = static_cast<T>(slope);
  }
}

template <class T>
void decode_row(const SaeDecode<T>& op, std::int64_t row, std::vector<host::Term<T>>& terms) {
  T* residual = op.residual + row * op.d;
  subtract_latents(op, row, 0, op.k, op.x + row * op.d, residual, terms);
  op.square[row] = host::dot(residual, residual, op.d);
  if (op.residual_multi == nullptr) return;

  T* multi = op.residual_multi + row * op.d;
  subtract_latents<T>(op, row, op.k, op.keep, residual, multi, terms);
  op.square_multi[row] = host::dot(multi, multi, op.d);
  if (op.slope != nullptr) write_slopes(op, row);
}

template <class T>
void run(const SaeDecode<T>& op, int threads) {
#pragma omp parallel num_threads(threads)
  {
    std::vector<host::Term<T>> terms;
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < op.problems * op.n; ++row) decode_row(op, row, terms);
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
