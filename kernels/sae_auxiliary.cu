// AuxK: what the dead latents could explain of the residual, and its gradients. The dead latents are
// gathered, so that what follows are products of dense matrices; selection, slopes and the sums go by kernels
// of their own.

#include "column_sum.cuh"
#include "cuda_device.hpp"
#include "device/sae_auxiliary.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "products.cuh"
#include "rows.cuh"
#include "select.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int threads = 256;

template <class T>
struct Gathered {
  Gathered(const SaeAuxiliary<T>& op, Memory& memory, const Call& call)
      : decoder(memory, op.dead_count * op.d, call),
        activation(memory, op.n * op.dead_count, call),
        slope(memory, op.n * op.dead_count, call),
        f(memory, op.n * op.d, call),
        sum(memory, op.dead_count * op.d, call),
        slopes(memory, op.dead_count, call),
        factor(memory, 1, call) {}

  Scratch<T> decoder;     ///< dead_count×d
  Scratch<T> activation;  ///< n×dead_count, 0 where not kept
  Scratch<T> slope;       ///< n×dead_count, 0 where not kept or not above 0
  Scratch<T> f;           ///< n×d
  Scratch<T> sum;         ///< dead_count×d, one gradient at a time
  Scratch<T> slopes;      ///< dead_count, over the rows
  Scratch<T> factor;      ///< −2c
};

/// −2·weight / max(Σ e_square, floor), by one block.
template <class T>
__global__ void __launch_bounds__(threads) factor_kernel(SaeAuxiliary<T> op, T* factor) {
  double norm = 0;
  for (std::int64_t i = threadIdx.x; i < op.n; i += threads) norm += op.e_square[i];
  norm = block_sum(norm);
  if (threadIdx.x == 0) *factor = static_cast<T>(-2 * op.weight / (norm < op.floor ? op.floor : norm));
}

template <class T>
__global__ void __launch_bounds__(row_threads) gather_decoder_kernel(SaeAuxiliary<T> op, T* out, int along) {
  for_each_element(op.dead_count, op.d, along, [&](std::int64_t j, std::int64_t column) {
    out[j * op.d + column] = op.decoder[op.dead[j] * op.d + column];
  });
}

/// One block per row.
template <class T>
__global__ void __launch_bounds__(threads) select_dead_kernel(SaeAuxiliary<T> op, T* activation) {
  const std::int64_t row = blockIdx.x;
  const T* z = op.z + row * op.h;
  const int count = static_cast<int>(op.dead_count);
  const auto get = [&](int j) { return key_of(z[op.dead[j]]); };
  const Threshold<Key<T>> threshold = select_largest<Key<T>>(count, static_cast<int>(op.keep), get);
  for (int j = static_cast<int>(threadIdx.x); j < count; j += static_cast<int>(blockDim.x)) {
    const T value = z[op.dead[j]];
    activation[row * count + j] = value > 0 && threshold.keeps(get(j), j) ? value : T{0};
  }
}

template <class T>
__global__ void __launch_bounds__(row_threads)
    finish_slopes_kernel(SaeAuxiliary<T> op, const T* factor, const T* activation, T* slope, int along) {
  for_each_element(op.n, op.dead_count, along, [&](std::int64_t row, std::int64_t j) {
    const std::int64_t i = row * op.dead_count + j;
    slope[i] = activation[i] > 0 ? *factor * slope[i] : T{0};
  });
}

/// One block per row.
template <class T>
__global__ void __launch_bounds__(threads) square_rows_kernel(SaeAuxiliary<T> op, const T* f) {
  const std::int64_t row = blockIdx.x;
  double sum = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) {
    const auto x = static_cast<double>(f[row * op.d + c]);
    sum += x * x;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) op.square[row] = sum;
}

/// target[dead[j]] += factor · rows[j]; without a factor, 1. Each latent is dead once.
template <class T>
__global__ void __launch_bounds__(row_threads)
    scatter_kernel(std::int64_t count, std::int64_t d, const std::int32_t* dead, const T* factor,
                   const T* rows, T* target, int along) {
  for_each_element(count, d, along, [&](std::int64_t j, std::int64_t column) {
    const T value = rows[j * d + column];
    target[dead[j] * d + column] += factor != nullptr ? *factor * value : value;
  });
}

template <class T>
class Run {
 public:
  Run(const SaeAuxiliary<T>& op, Memory& memory, Products& products, const Call& call)
      : op_(op), memory_(memory), products_(products), call_(call), g_(op, memory, call) {}

  void all() {
    launch(call_, {.blocks = 1, .threads = threads}, factor_kernel<T>, op_, g_.factor.get());
    select();
    reconstruct();
    add_product(g_.activation.get(), g_.f.get(), g_.factor.get(), op_.decoder_gradient);
    add_product(g_.slope.get(), op_.x, nullptr, op_.encoder_gradient);
    add_biases();
  }

 private:
  void select() {
    launch_rows(call_, op_.dead_count, op_.d, gather_decoder_kernel<T>, op_, g_.decoder.get());
    launch(call_, {.blocks = op_.n, .threads = row_block_threads(op_.dead_count)}, select_dead_kernel<T>, op_,
           g_.activation.get());
  }

  void reconstruct() {
    check(cudaMemcpyAsync(g_.f.get(), op_.e, static_cast<std::size_t>(op_.n * op_.d) * sizeof(T),
                          cudaMemcpyDeviceToDevice, call_.stream),
          call_);
    products_.run(MatrixProduct<T>{.m = op_.n,
                                   .n = op_.d,
                                   .k = op_.dead_count,
                                   .alpha = -1,
                                   .a = g_.activation.get(),
                                   .lda = op_.dead_count,
                                   .b = g_.decoder.get(),
                                   .ldb = op_.d,
                                   .beta = 1,
                                   .c = g_.f.get(),
                                   .ldc = op_.d},
                  call_);
    products_.run(MatrixProduct<T>{.transpose_b = true,
                                   .m = op_.n,
                                   .n = op_.dead_count,
                                   .k = op_.d,
                                   .a = g_.f.get(),
                                   .lda = op_.d,
                                   .b = g_.decoder.get(),
                                   .ldb = op_.d,
                                   .c = g_.slope.get(),
                                   .ldc = op_.dead_count},
                  call_);
    launch_rows(call_, op_.n, op_.dead_count, finish_slopes_kernel<T>, op_, g_.factor.get(),
                g_.activation.get(), g_.slope.get());
    launch(call_, {.blocks = op_.n, .threads = row_block_threads(op_.d)}, square_rows_kernel<T>, op_,
           g_.f.get());
  }

  /// target[dead[j]] += factor · Σ_rows left[row, j] · right[row]
  void add_product(const T* left, const T* right, const T* factor, T* target) {
    products_.run(MatrixProduct<T>{.transpose_a = true,
                                   .m = op_.dead_count,
                                   .n = op_.d,
                                   .k = op_.n,
                                   .a = left,
                                   .lda = op_.dead_count,
                                   .b = right,
                                   .ldb = op_.d,
                                   .c = g_.sum.get(),
                                   .ldc = op_.d},
                  call_);
    scatter(op_.d, factor, g_.sum.get(), target);
  }

  void add_biases() {
    const ColumnTerm<T> over_rows[] = {{.rows = op_.n, .matrix = g_.slope.get()}};
    sum_columns(over_rows, op_.dead_count, false, g_.slopes.get(), memory_, call_);
    scatter(1, nullptr, g_.slopes.get(), op_.encoder_bias_gradient);
    const ColumnTerm<T> over_latents[] = {{.rows = op_.dead_count,
                                           .factor = -1,
                                           .matrix = op_.encoder,
                                           .coefficient = g_.slopes.get(),
                                           .index = op_.dead}};
    sum_columns(over_latents, op_.d, true, op_.pre_bias_gradient, memory_, call_);
  }

  void scatter(std::int64_t d, const T* factor, const T* rows, T* target) {
    launch_rows(call_, op_.dead_count, d, scatter_kernel<T>, op_.dead_count, d, op_.dead, factor, rows,
                target);
  }

  const SaeAuxiliary<T>& op_;
  Memory& memory_;
  Products& products_;
  const Call& call_;
  Gathered<T> g_;
};

template <class T>
void run(const SaeAuxiliary<T>& op, Memory& memory, Products& products, const Call& call) {
  if (op.keep < 1 || op.keep > op.dead_count) {
    throw Error(Exit::defect, describe(call) + " (n, d, h, dead, keep)");
  }
  Run<T>(op, memory, products, call).all();
}

}  // namespace

void CudaDevice::sae_auxiliary(const SaeAuxiliary<float>& op) {
  run(op, *memory_, *products_, begin("sae_auxiliary", {op.n, op.d, op.h, op.dead_count, op.keep}));
}
void CudaDevice::sae_auxiliary(const SaeAuxiliary<double>& op) {
  run(op, *memory_, *products_, begin("sae_auxiliary (fp64)", {op.n, op.d, op.h, op.dead_count, op.keep}));
}

}  // namespace incipit::device
