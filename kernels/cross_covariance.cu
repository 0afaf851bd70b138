// Σ_i (x_i − mean_x)(y_i − mean_y)ᵀ: a block of rows of both sides is centred, the library multiplies it
// (products.cu), and its sum is added to the result in fp64.

#include <algorithm>

#include "cuda_device.hpp"
#include "device/cross_covariance.hpp"
#include "memory.cuh"
#include "products.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// Rows of one side, less their mean.
template <class T>
struct Block {
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t first = 0;
  const float* rows = nullptr;
  const std::int32_t* index = nullptr;
  const double* mean = nullptr;
  T* out = nullptr;  ///< n×d
};

template <class T>
__global__ void __launch_bounds__(row_threads) centre_kernel(Block<T> block, int along) {
  for_each_element(block.n, block.d, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t i = block.first + row;
    const std::int64_t from = (block.index != nullptr ? block.index[i] : i) * block.d;
    block.out[row * block.d + column] =
        static_cast<T>(static_cast<double>(block.rows[from + column]) - block.mean[column]);
  });
}

template <class T>
__global__ void __launch_bounds__(row_threads)
    add_kernel(std::int64_t n, std::int64_t d, const T* in, double* out, int along) {
  for_each_element(n, d, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t at = row * d + column;
    out[at] += static_cast<double>(in[at]);
  });
}

template <class T>
void centre(const Block<T>& block, const Call& call) {
  launch_rows(call, block.n, block.d, centre_kernel<T>, block);
}

template <class T>
void run(const CrossCovariance<T>& op, Memory& memory, Products& products, const Call& call) {
  const std::int64_t rows = std::min(op.n, cross_covariance_rows);
  const Scratch<T> x(memory, rows * op.d_x, call);
  const Scratch<T> y(memory, rows * op.d_y, call);
  const Scratch<T> product(memory, op.d_x * op.d_y, call);
  if (op.d_x * op.d_y == 0) return;
  check(cudaMemsetAsync(op.out, 0, static_cast<std::size_t>(op.d_x * op.d_y) * sizeof(double), call.stream),
        call);
  for (std::int64_t first = 0; first < op.n; first += rows) {
    const std::int64_t count = std::min(rows, op.n - first);
    centre(Block<T>{count, op.d_x, first, op.x, op.index, op.mean_x, x.get()}, call);
    centre(Block<T>{count, op.d_y, first, op.y, op.index, op.mean_y, y.get()}, call);
    products.run(MatrixProduct<T>{.transpose_a = true,
                                  .m = op.d_x,
                                  .n = op.d_y,
                                  .k = count,
                                  .a = x.get(),
                                  .lda = op.d_x,
                                  .b = y.get(),
                                  .ldb = op.d_y,
                                  .c = product.get(),
                                  .ldc = op.d_y},
                 call);
    launch_rows(call, op.d_x, op.d_y, add_kernel<T>, op.d_x, op.d_y, product.get(), op.out);
  }
}

}  // namespace

void CudaDevice::cross_covariance(const CrossCovariance<float>& op) {
  run(op, *memory_, *products_, begin("cross_covariance", {op.n, op.d_x, op.d_y}));
}
void CudaDevice::cross_covariance(const CrossCovariance<double>& op) {
  run(op, *memory_, *products_, begin("cross_covariance (fp64)", {op.n, op.d_x, op.d_y}));
}

}  // namespace incipit::device
