#include "device/matmul.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "device/host/gemm.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

constexpr std::int64_t tile_rows = 512;
constexpr std::int64_t tile_columns = 768;
/// Multiply-adds below which starting threads costs more than they save.
constexpr std::int64_t small = std::int64_t{1} << 18U;

template <class T>
void check(const MatrixProduct<T>& op) {
  const std::int64_t most = std::numeric_limits<int>::max();
  const bool dimensions = op.m >= 0 && op.n >= 0 && op.k >= 0 && std::max({op.m, op.n, op.k}) <= most;
  const bool strides = op.lda >= (op.transpose_a ? op.m : op.k) && op.ldb >= (op.transpose_b ? op.k : op.n) &&
                       op.ldc >= op.n && std::max({op.lda, op.ldb, op.ldc}) <= most;
  if (!dimensions || !strides) {
    throw Error(Exit::defect, "matmul of " + std::to_string(op.m) + "x" + std::to_string(op.k) + " by " +
                                  std::to_string(op.k) + "x" + std::to_string(op.n) + " with strides " +
                                  std::to_string(op.lda) + ", " + std::to_string(op.ldb) + ", " +
                                  std::to_string(op.ldc));
  }
}

/// Rows [i, i + m) and columns [j, j + n) of C.
template <class T>
void make_tile(const MatrixProduct<T>& op, std::int64_t i, std::int64_t m, std::int64_t j, std::int64_t n) {
  const auto as = [](bool transpose) { return transpose ? host::Transpose::yes : host::Transpose::no; };
  host::gemm(as(op.transpose_a), as(op.transpose_b), m, n, op.k, op.alpha,
             op.a + (op.transpose_a ? i : i * op.lda), op.lda, op.b + (op.transpose_b ? j * op.ldb : j),
             op.ldb, op.beta, op.c + i * op.ldc + j, op.ldc);
}

template <class T>
void run(const MatrixProduct<T>& op, int threads) {
  check(op);
  if (op.m == 0 || op.n == 0) return;
  // Tiles as equal as can be, a function of the shape alone: the library's result for an element may
  // depend on where it lies in its tile.
  const std::int64_t down = (op.m + tile_rows - 1) / tile_rows;
  const std::int64_t across = (op.n + tile_columns - 1) / tile_columns;
  const bool parallel =
      threads > 1 && down * across > 1 && op.m * op.n * std::max<std::int64_t>(op.k, 1) > small;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads) if (parallel)
  for (std::int64_t row = 0; row < down; ++row) {
    for (std::int64_t column = 0; column < across; ++column) {
      const std::int64_t i = op.m * row / down;
      const std::int64_t j = op.n * column / across;
      make_tile(op, i, op.m * (row + 1) / down - i, j, op.n * (column + 1) / across - j);
    }
  }
}

}  // namespace

void HostDevice::matmul(const Matmul& op) {
  run(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
