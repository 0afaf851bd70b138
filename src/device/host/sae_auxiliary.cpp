#include "device/sae_auxiliary.hpp"

#include <omp.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "device/host/gemm.hpp"
#include "device/host/host_device.hpp"
#include "device/host/simd.hpp"
#include "device/host/top_k.hpp"

namespace incipit::device {
namespace {

using host::Transpose;

constexpr std::int64_t auxiliary_rows = 128;
constexpr std::int64_t auxiliary_columns = 256;

/// One problem, with at least one dead latent.
template <class T>
struct Auxiliary : SaeAuxiliary<T> {
  Auxiliary(const SaeAuxiliary<T>& op, std::int64_t p) : SaeAuxiliary<T>(op), dead_count(op.dead_count[p]) {
    this->dead += p * op.h;
    this->x += p * op.n * op.d;
    this->z += p * op.n * op.h;
    this->e += p * op.n * op.d;
    this->e_square += p * op.n;
    this->encoder += p * op.h * op.d;
    this->decoder += p * op.h * op.d;
    this->encoder_gradient += p * op.h * op.d;
    this->encoder_bias_gradient += p * op.h;
    this->decoder_gradient += p * op.h * op.d;
    this->pre_bias_gradient += p * op.d;
    this->square += p * op.n;
  }
  std::int64_t dead_count;
  std::int64_t keep = std::min(this->most_kept, dead_count);
};

/// The dead latents gathered, so that what follows are products of dense matrices.
template <class T>
struct Gathered {
  explicit Gathered(const Auxiliary<T>& op)
      : decoder(std::make_unique_for_overwrite<T[]>(op.dead_count * op.d)),
        activation(std::make_unique_for_overwrite<T[]>(op.n * op.dead_count)),
        slope(std::make_unique_for_overwrite<T[]>(op.n * op.dead_count)),
        f(std::make_unique_for_overwrite<T[]>(op.n * op.d)),
        sum(std::make_unique_for_overwrite<T[]>(op.dead_count * op.d)) {}

  std::unique_ptr<T[]> decoder;     ///< dead_count×d
  std::unique_ptr<T[]> activation;  ///< n×dead_count, 0 where not kept
  std::unique_ptr<T[]> slope;       ///< n×dead_count, 0 where not kept or not above 0
  std::unique_ptr<T[]> f;           ///< n×d
  std::unique_ptr<T[]> sum;         ///< dead_count×d, one gradient at a time
};

/// One row's activations; order: dead_count.
template <class T>
void select_row(const Auxiliary<T>& op, std::int64_t row, T* activation, std::int32_t* order) {
  for (std::int64_t j = 0; j < op.dead_count; ++j) activation[j] = op.z[row * op.h + op.dead[j]];
  host::top_k_unsorted(activation, op.dead_count, op.keep, order);
  for (std::int64_t t = op.keep; t < op.dead_count; ++t) activation[order[t]] = 0;
  for (std::int64_t j = 0; j < op.dead_count; ++j) activation[j] = std::max(activation[j], T{0});
}

template <class T>
void select(const Auxiliary<T>& op, Gathered<T>& g, int threads) {
  std::vector<std::int32_t> order(threads * op.dead_count);
#pragma omp parallel num_threads(threads)
  {
    std::int32_t* mine = order.data() + omp_get_thread_num() * op.dead_count;
#pragma omp for schedule(static)
    for (std::int64_t j = 0; j < op.dead_count; ++j)
      std::copy_n(op.decoder + op.dead[j] * op.d, op.d, g.decoder.get() + j * op.d);
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < op.n; ++row)
      select_row(op, row, g.activation.get() + row * op.dead_count, mine);
  }
}

/// f, its squares and the slopes, by blocks of rows.
template <class T>
void reconstruct(const Auxiliary<T>& op, Gathered<T>& g, T factor, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (std::int64_t begin = 0; begin < op.n; begin += auxiliary_rows) {
    const std::int64_t rows = std::min(auxiliary_rows, op.n - begin);
    const T* activation = g.activation.get() + begin * op.dead_count;
    T* slope = g.slope.get() + begin * op.dead_count;
    T* f = g.f.get() + begin * op.d;
    std::copy_n(op.e + begin * op.d, rows * op.d, f);
    host::gemm(Transpose::no, Transpose::no, rows, op.d, op.dead_count, T{-1}, activation, op.dead_count,
               g.decoder.get(), op.d, T{1}, f, op.d);
    host::gemm(Transpose::no, Transpose::yes, rows, op.dead_count, op.d, factor, f, op.d, g.decoder.get(),
               op.d, T{0}, slope, op.dead_count);
    for (std::int64_t i = 0; i < rows * op.dead_count; ++i) slope[i] = activation[i] > 0 ? slope[i] : T{0};
    for (std::int64_t row = 0; row < rows; ++row)
      op.square[begin + row] = host::dot(f + row * op.d, f + row * op.d, op.d);
  }
}

/// target[dead[j]] += factor · Σ_rows left[row, j] · right[row]
template <class T>
void add_product(const Auxiliary<T>& op, Gathered<T>& g, T factor, const T* left, const T* right, T* target,
                 int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (std::int64_t column = 0; column < op.d; column += auxiliary_columns) {
    const std::int64_t width = std::min(auxiliary_columns, op.d - column);
    host::gemm(Transpose::yes, Transpose::no, op.dead_count, width, op.n, factor, left, op.dead_count,
               right + column, op.d, T{0}, g.sum.get() + column, op.d);
    for (std::int64_t j = 0; j < op.dead_count; ++j)
      host::axpy(T{1}, g.sum.get() + j * op.d + column, target + op.dead[j] * op.d + column, width);
  }
}

template <class T>
void add_biases(const Auxiliary<T>& op, const Gathered<T>& g) {
  std::vector<double> slopes(op.dead_count, 0.0);
  for (std::int64_t row = 0; row < op.n; ++row)
    for (std::int64_t j = 0; j < op.dead_count; ++j)
      slopes[j] += static_cast<double>(g.slope[row * op.dead_count + j]);
  for (std::int64_t j = 0; j < op.dead_count; ++j) {
    op.encoder_bias_gradient[op.dead[j]] += static_cast<T>(slopes[j]);
    host::axpy(static_cast<T>(-slopes[j]), op.encoder + op.dead[j] * op.d, op.pre_bias_gradient, op.d);
  }
}

template <class T>
void run_problem(const Auxiliary<T>& op, int threads) {
  double norm = 0;
  for (std::int64_t row = 0; row < op.n; ++row) norm += op.e_square[row];
  const T factor = static_cast<T>(-2 * op.weight / std::max(norm, op.floor));

  Gathered<T> gathered(op);
  select(op, gathered, threads);
  reconstruct(op, gathered, factor, threads);
  add_product(op, gathered, factor, gathered.activation.get(), gathered.f.get(), op.decoder_gradient,
              threads);
  add_product(op, gathered, T{1}, gathered.slope.get(), op.x, op.encoder_gradient, threads);
  add_biases(op, gathered);
}

template <class T>
void run(const SaeAuxiliary<T>& op, int threads) {
  for (std::int64_t p = 0; p < op.problems; ++p) {
    if (op.dead_count[p] > 0) {
      run_problem(Auxiliary<T>(op, p), threads);
    } else {
      std::fill_n(op.square + p * op.n, op.n, 0.0);
    }
  }
}

}  // namespace

void HostDevice::sae_auxiliary(const SaeAuxiliary<float>& op) {
  run(op, threads_);
}
void HostDevice::sae_auxiliary(const SaeAuxiliary<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
