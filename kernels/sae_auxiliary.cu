// AuxK: what the dead latents could explain of the residual, and its gradients. Products over the dead
// latents, whose number is each problem's own and known to the device alone: grids are made for all latents,
// and blocks beyond the dead ones end at once. Nothing waits for the device, and a problem without dead
// latents costs a few empty blocks.

#include "column_sum.cuh"
#include "cuda_device.hpp"
#include "device/sae_auxiliary.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "rows.cuh"
#include "select.cuh"
#include "tile_product.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int auxiliary_threads = 256;

/// What is made on the way, as wide as if all latents were dead.
template <class T>
struct Between {
  T* activation;  ///< problems×n×h, 0 where not kept
  T* slope;       ///< problems×n×h, 0 where not kept or not above 0
  T* f;           ///< problems×n×d
  T* slopes;      ///< problems×h, over the rows
  T* factor;      ///< problems, −2c
};

/// One problem, as a block of the grid's third dimension sees it.
template <class T>
struct Problem {
  __device__ __forceinline__ Problem(const SaeAuxiliary<T>& op, const Between<T>& between,
                                     std::int64_t problem)
      : n(op.n),
        d(op.d),
        h(op.h),
        count(op.dead_count[problem]),
        dead(op.dead + problem * h),
        x(op.x + problem * n * d),
        e(op.e + problem * n * d),
        decoder(op.decoder + problem * h * d),
        encoder_gradient(op.encoder_gradient + problem * h * d),
        decoder_gradient(op.decoder_gradient + problem * h * d),
        activation(between.activation + problem * n * h),
        slope(between.slope + problem * n * h),
        f(between.f + problem * n * d),
        factor(between.factor[problem]) {}

  std::int64_t n, d, h, count;
  const std::int32_t* dead;
  const T *x, *e, *decoder;
  T *encoder_gradient, *decoder_gradient;
  T *activation, *slope, *f;
  T factor;
};

/// −2·weight / max(Σ e_square, floor), by one block for each problem.
template <class T>
__global__ void __launch_bounds__(auxiliary_threads) factor_kernel(SaeAuxiliary<T> op, T* factor) {
  const double* e_square = op.e_square + blockIdx.x * op.n;
  double norm = 0;
  for (std::int64_t i = threadIdx.x; i < op.n; i += auxiliary_threads) norm += e_square[i];
  norm = block_sum(norm);
  if (threadIdx.x == 0)
    factor[blockIdx.x] = static_cast<T>(-2 * op.weight / (norm < op.floor ? op.floor : norm));
}

/// One block per row.
template <class T>
__global__ void __launch_bounds__(auxiliary_threads) select_dead_kernel(SaeAuxiliary<T> op, T* activation) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t problem = row / op.n;
  const int count = static_cast<int>(op.dead_count[problem]);
  if (count == 0) return;
  const std::int32_t* dead = op.dead + problem * op.h;
  const T* z = op.z + row * op.h;
  const int keep = op.most_kept < count ? static_cast<int>(op.most_kept) : count;
  const auto get = [&](int j) { return key_of(z[dead[j]]); };
  const Threshold<Key<T>> threshold = select_largest<Key<T>>(count, keep, get);
  for (int j = static_cast<int>(threadIdx.x); j < count; j += static_cast<int>(blockDim.x)) {
    const T value = z[dead[j]];
    activation[row * op.h + j] = value > 0 && threshold.keeps(get(j), j) ? value : T{0};
  }
}

/// f = e − Σ a · decoder
template <class T>
__global__ void __launch_bounds__(product_threads) residual_kernel(SaeAuxiliary<T> op, Between<T> between) {
  const Problem<T> p(op, between, blockIdx.z);
  if (p.count == 0) return;
  multiply_tile<Along::depth, Along::side, T>(
      {p.n, p.d, p.count}, [&](std::int64_t row, std::int64_t j) { return p.activation[row * p.h + j]; },
      [&](std::int64_t c, std::int64_t j) { return p.decoder[p.dead[j] * p.d + c]; },
      [&](std::int64_t row, std::int64_t c, T sum) { p.f[row * p.d + c] = p.e[row * p.d + c] - sum; });
}

template <class T>
__global__ void __launch_bounds__(product_threads) slope_kernel(SaeAuxiliary<T> op, Between<T> between) {
  const Problem<T> p(op, between, blockIdx.z);
  multiply_tile<Along::depth, Along::depth, T>(
      {p.n, p.count, p.d}, [&](std::int64_t row, std::int64_t c) { return p.f[row * p.d + c]; },
      [&](std::int64_t j, std::int64_t c) { return p.decoder[p.dead[j] * p.d + c]; },
      [&](std::int64_t row, std::int64_t j, T sum) {
        const std::int64_t i = row * p.h + j;
        p.slope[i] = p.activation[i] > 0 ? p.factor * sum : T{0};
      });
}

/// decoder_gradient[dead[j]] −= 2c · Σ_rows a f. Each latent is dead once.
template <class T>
__global__ void __launch_bounds__(product_threads)
    decoder_gradient_kernel(SaeAuxiliary<T> op, Between<T> between) {
  const Problem<T> p(op, between, blockIdx.z);
  multiply_tile<Along::side, Along::side, T>(
      {p.count, p.d, p.n}, [&](std::int64_t j, std::int64_t row) { return p.activation[row * p.h + j]; },
      [&](std::int64_t c, std::int64_t row) { return p.f[row * p.d + c]; },
      [&](std::int64_t j, std::int64_t c, T sum) {
        p.decoder_gradient[p.dead[j] * p.d + c] += p.factor * sum;
      });
}

/// encoder_gradient[dead[j]] += Σ_rows slope x
template <class T>
__global__ void __launch_bounds__(product_threads)
    encoder_gradient_kernel(SaeAuxiliary<T> op, Between<T> between) {
  const Problem<T> p(op, between, blockIdx.z);
  multiply_tile<Along::side, Along::side, T>(
      {p.count, p.d, p.n}, [&](std::int64_t j, std::int64_t row) { return p.slope[row * p.h + j]; },
      [&](std::int64_t c, std::int64_t row) { return p.x[row * p.d + c]; },
      [&](std::int64_t j, std::int64_t c, T sum) { p.encoder_gradient[p.dead[j] * p.d + c] += sum; });
}

/// One block per row.
template <class T>
__global__ void __launch_bounds__(auxiliary_threads) square_rows_kernel(SaeAuxiliary<T> op, const T* f) {
  const std::int64_t row = blockIdx.x;
  double sum = 0;
  if (op.dead_count[row / op.n] > 0) {
    for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) {
      const auto x = static_cast<double>(f[row * op.d + c]);
      sum += x * x;
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) op.square[row] = sum;
}

/// slopes[j] = Σ_rows slope, in row order, and the encoder's bias with it.
template <class T>
__global__ void __launch_bounds__(auxiliary_threads)
    encoder_bias_kernel(SaeAuxiliary<T> op, Between<T> between) {
  const std::int64_t problem = blockIdx.z;
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * auxiliary_threads + threadIdx.x;
  if (j >= op.dead_count[problem]) return;
  const T* slope = between.slope + problem * op.n * op.h + j;
  double sum = 0;
#pragma unroll 8
  for (std::int64_t row = 0; row < op.n; ++row) sum += static_cast<double>(slope[row * op.h]);
  const std::int64_t place = problem * op.h;
  between.slopes[place + j] = static_cast<T>(sum);
  op.encoder_bias_gradient[place + op.dead[place + j]] += static_cast<T>(sum);
}

template <class T>
void multiply(const SaeAuxiliary<T>& op, const Between<T>& between, const Call& call) {
  const auto tiles = [&](std::int64_t rows, std::int64_t columns) {
    return Grid{.blocks = divide_up(rows, product_tile),
                .threads = product_threads,
                .across = divide_up(columns, product_tile),
                .problems = op.problems};
  };
  launch(call, tiles(op.n, op.d), residual_kernel<T>, op, between);
  launch(call, tiles(op.n, op.h), slope_kernel<T>, op, between);
  launch(call, tiles(op.h, op.d), decoder_gradient_kernel<T>, op, between);
  launch(call, tiles(op.h, op.d), encoder_gradient_kernel<T>, op, between);
}

template <class T>
void add_biases(const SaeAuxiliary<T>& op, const Between<T>& between, Memory& memory, const Call& call) {
  launch(
      call,
      {.blocks = divide_up(op.h, auxiliary_threads), .threads = auxiliary_threads, .problems = op.problems},
      encoder_bias_kernel<T>, op, between);
  const ColumnTerm<T> over_latents[] = {{.rows = op.h,
                                         .factor = -1,
                                         .matrix = op.encoder,
                                         .coefficient = between.slopes,
                                         .count = op.dead_count,
                                         .index = op.dead}};
  sum_columns(over_latents, op.problems, op.d, true, op.pre_bias_gradient, memory, call);
}

template <class T>
void run(const SaeAuxiliary<T>& op, Memory& memory, const Call& call) {
  if (op.most_kept < 1 || op.most_kept > op.h) {
    throw Error(Exit::defect, describe(call) + " (problems, n, d, h, most kept)");
  }
  const std::int64_t rows = op.problems * op.n;
  const Scratch<T> activation(memory, rows * op.h, call);
  const Scratch<T> slope(memory, rows * op.h, call);
  const Scratch<T> f(memory, rows * op.d, call);
  const Scratch<T> slopes(memory, op.problems * op.h, call);
  const Scratch<T> factor(memory, op.problems, call);
  const Between<T> between{activation.get(), slope.get(), f.get(), slopes.get(), factor.get()};
  launch(call, {.blocks = op.problems, .threads = auxiliary_threads}, factor_kernel<T>, op, between.factor);
  launch(call, {.blocks = rows, .threads = row_block_threads(op.h)}, select_dead_kernel<T>, op,
         between.activation);
  multiply(op, between, call);
  launch(call, {.blocks = rows, .threads = row_block_threads(op.d)}, square_rows_kernel<T>, op, between.f);
  add_biases(op, between, memory, call);
}

}  // namespace

void CudaDevice::sae_auxiliary(const SaeAuxiliary<float>& op) {
  run(op, *memory_, begin("sae_auxiliary", {op.problems, op.n, op.d, op.h, op.most_kept}));
}
void CudaDevice::sae_auxiliary(const SaeAuxiliary<double>& op) {
  run(op, *memory_, begin("sae_auxiliary (fp64)", {op.problems, op.n, op.d, op.h, op.most_kept}));
}

}  // namespace incipit::device
