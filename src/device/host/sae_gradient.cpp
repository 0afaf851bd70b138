#include "device/sae_gradient.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"

namespace incipit::device {
namespace {

/// Columns of the pre-bias summed by one thread at a time.
constexpr std::int64_t gradient_columns = 256;

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

/// Terms of the sums at hand, kept by each thread from one latent to the next.
template <class T>
struct Terms {
  std::vector<host::Term<T>> encoder, decoder;
};

template <class T>
void sum_latent(const SaeGradient<T>& op, const Segments& segments, std::int64_t j, Terms<T>& terms) {
  terms.encoder.clear();
  terms.decoder.clear();
  double bias = 0;
  for (std::int64_t p = segments.start[j]; p < segments.start[j + 1]; ++p) {
    const std::int64_t pair = segments.pairs[p];
    const std::int64_t offset = pair / op.keep * op.d;
    const T activation = op.value[pair];
    terms.encoder.push_back({op.slope[pair], op.x + offset});
    terms.decoder.push_back({-2 * op.weight_multi * activation, op.residual_multi + offset});
    if (pair % op.keep < op.k) terms.decoder.push_back({-2 * op.weight * activation, op.residual + offset});
    bias += static_cast<double>(op.slope[pair]);
  }
  const T* zeros = nullptr;
  host::combine(zeros, terms.encoder.data(), std::ssize(terms.encoder), op.encoder + j * op.d, op.d);
  host::combine(zeros, terms.decoder.data(), std::ssize(terms.decoder), op.decoder + j * op.d, op.d);
  op.encoder_bias[j] = static_cast<T>(bias);
}

template <class T>
void sum_pre_bias(const SaeGradient<T>& op, std::int64_t column, std::int64_t width, Terms<T>& terms) {
  terms.decoder.clear();
  for (std::int64_t row = 0; row < op.n; ++row) {
    terms.decoder.push_back({-2 * op.weight, op.residual + row * op.d + column});
    terms.decoder.push_back({-2 * op.weight_multi, op.residual_multi + row * op.d + column});
  }
  for (std::int64_t j = 0; j < op.h; ++j)
    if (op.encoder_bias[j] != 0)
      terms.decoder.push_back({-op.encoder_bias[j], op.weights + j * op.d + column});
  const T* zeros = nullptr;
  host::combine(zeros, terms.decoder.data(), std::ssize(terms.decoder), op.pre_bias + column, width);
}

template <class T>
SaeGradient<T> of_problem(SaeGradient<T> op, std::int64_t p) {
  for (const T** rows : {&op.x, &op.residual, &op.residual_multi}) *rows += p * op.n * op.d;
  op.index += p * op.n * op.keep;
  op.value += p * op.n * op.keep;
  op.slope += p * op.n * op.keep;
  op.weights += p * op.h * op.d;
  op.encoder += p * op.h * op.d;
  op.encoder_bias += p * op.h;
  op.decoder += p * op.h * op.d;
  op.pre_bias += p * op.d;
  return op;
}

template <class T>
void run_problem(const SaeGradient<T>& op, int threads) {
  const Segments segments = sort_by_latent(op);
#pragma omp parallel num_threads(threads)
  {
    Terms<T> terms;
#pragma omp for schedule(dynamic, 8)
    for (std::int64_t j = 0; j < op.h; ++j) sum_latent(op, segments, j, terms);
#pragma omp for schedule(static)
    for (std::int64_t column = 0; column < op.d; column += gradient_columns)
      sum_pre_bias(op, column, std::min(gradient_columns, op.d - column), terms);
  }
}

template <class T>
void run(const SaeGradient<T>& op, int threads) {
  for (std::int64_t p = 0; p < op.problems; ++p) run_problem(of_problem(op, p), threads);
}

}  // namespace

void HostDevice::sae_gradient(const SaeGradient<float>& op) {
  run(op, threads_);
}
void HostDevice::sae_gradient(const SaeGradient<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
