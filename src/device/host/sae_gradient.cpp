#include "device/sae_gradient.hpp"

#include <algorithm>
#include <vector>

#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"

namespace incipit::device {
namespace {

/// Columns worked on at once: the sums of a latent stay in the first-level cache.
constexpr std::int64_t block_columns = 1024;

/// The firing pairs (row, t), as row·keep + t, sorted by latent and then by row: latent j's are
/// pairs[start[j]] … pairs[start[j + 1] − 1].
struct Segments {
  std::vector<std::int64_t> start;
  std::vector<std::int64_t> pairs;
};

template <class T>
Segments sort_by_latent(const SaeGradient<T>& op) {
  Segments segments;
  segments.start.assign(op.h + 1, 0);
  const std::int64_t all = op.n * op.keep;
  for (std::int64_t pair = 0; pair < all; ++pair)
    if (op.value[pair] > 0) ++segments.start[op.index[pair] + 1];
  for (std::int64_t j = 0; j < op.h; ++j) segments.start[j + 1] += segments.start[j];
  segments.pairs.resize(segments.start[op.h]);
  std::vector<std::int64_t> next(segments.start.begin(), segments.start.end() - 1);
  for (std::int64_t pair = 0; pair < all; ++pair)
    if (op.value[pair] > 0) segments.pairs[next[op.index[pair]]++] = pair;
  return segments;
}

template <class T>
void sum_latent(const SaeGradient<T>& op, const Segments& segments, std::int64_t j) {
  const std::int64_t begin = segments.start[j];
  const std::int64_t end = segments.start[j + 1];
  for (std::int64_t column = 0; column < op.d; column += block_columns) {
    const std::int64_t width = std::min(block_columns, op.d - column);
    T* encoder = op.encoder + j * op.d + column;
    T* decoder = op.decoder + j * op.d + column;
    std::fill_n(encoder, width, T{0});
    std::fill_n(decoder, width, T{0});
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t pair = segments.pairs[p];
      const std::int64_t offset = pair / op.keep * op.d + column;
      const T activation = op.value[pair];
      host::axpy(op.slope[pair], op.x + offset, encoder, width);
      host::axpy(-2 * op.weight_multi * activation, op.residual_multi + offset, decoder, width);
      if (pair % op.keep < op.k)
        host::axpy(-2 * op.weight * activation, op.residual + offset, decoder, width);
    }
  }
  double bias = 0;
  for (std::int64_t p = begin; p < end; ++p) bias += static_cast<double>(op.slope[segments.pairs[p]]);
  op.encoder_bias[j] = static_cast<T>(bias);
}

template <class T>
void sum_pre_bias(const SaeGradient<T>& op, std::int64_t column, std::int64_t width) {
  T* pre_bias = op.pre_bias + column;
  std::fill_n(pre_bias, width, T{0});
  for (std::int64_t row = 0; row < op.n; ++row) {
    host::axpy(-2 * op.weight, op.residual + row * op.d + column, pre_bias, width);
    host::axpy(-2 * op.weight_multi, op.residual_multi + row * op.d + column, pre_bias, width);
  }
  for (std::int64_t j = 0; j < op.h; ++j)
    if (op.encoder_bias[j] != 0)
      host::axpy(-op.encoder_bias[j], op.weights + j * op.d + column, pre_bias, width);
}

template <class T>
void run(const SaeGradient<T>& op, int threads) {
  const Segments segments = sort_by_latent(op);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic, 8)
    for (std::int64_t j = 0; j < op.h; ++j) sum_latent(op, segments, j);
#pragma omp for schedule(static)
    for (std::int64_t column = 0; column < op.d; column += block_columns / 4)
      sum_pre_bias(op, column, std::min(block_columns / 4, op.d - column));
  }
}

}  // namespace

void HostDevice::sae_gradient(const SaeGradient<float>& op) {
  run(op, threads_);
}
void HostDevice::sae_gradient(const SaeGradient<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
