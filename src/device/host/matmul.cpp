#include "device/matmul.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "device/host/blas.hpp"
#include "device/host/convert.hpp"
#include "device/host/gemm.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

constexpr std::int64_t tile_rows = 512;
constexpr std::int64_t tile_columns = 768;
/// Of the inner dimension, what of 16-bit operands is widened at once.
constexpr std::int64_t tile_inner = 512;
/// Multiply-adds below which starting threads costs more than they save.
constexpr std::int64_t small = std::int64_t{1} << 18U;

template <class T, class Result>
void check(const MatrixProduct<T, Result>& op) {
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

/// The part of a product that makes rows [i, i + m) and columns [j, j + n) of C.
template <class T, class Result>
MatrixProduct<T, Result> tile_of(const MatrixProduct<T, Result>& op, std::int64_t i, std::int64_t m,
                                 std::int64_t j, std::int64_t n) {
  MatrixProduct<T, Result> tile = op;
  tile.m = m;
  tile.n = n;
  tile.a += op.transpose_a ? i : i * op.lda;
  tile.b += op.transpose_b ? j * op.ldb : j;
  tile.c += i * op.ldc + j;
  return tile;
}

/// fp32 and fp64 go to the library as they are.
template <class T>
class WholeTiles {
 public:
  explicit WholeTiles(const MatrixProduct<T>& /*op*/) {}
  void run(const MatrixProduct<T>& p) {
    const auto as = [](bool transpose) { return transpose ? host::Transpose::yes : host::Transpose::no; };
    host::gemm(as(p.transpose_a), as(p.transpose_b), p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta,
               p.c, p.ldc);
  }
};

/// Operands of 16 bits are widened panel by panel, summed in fp32, and the sum rounded once.
template <Number T, class Result>
class WidenedTiles {
 public:
  explicit WidenedTiles(const MatrixProduct<T, Result>& op)
      : a_(size(std::min(op.m, tile_rows), std::min(op.k, tile_inner))),
        b_(size(std::min(op.n, tile_columns), std::min(op.k, tile_inner))),
        c_(std::same_as<Result, float> ? 0 : size(std::min(op.m, tile_rows), std::min(op.n, tile_columns))) {}

  void run(const MatrixProduct<T, Result>& tile) {
    const host::Rows<float> c = sums(tile);
    // The first panel meets what C holds, and without beta does not read it.
    float beta = tile.beta;
    std::int64_t l = 0;
    do {
      const std::int64_t inner = std::min(tile.k - l, tile_inner);
      host::sgemm({.transpose_a = tile.transpose_a,
                   .transpose_b = tile.transpose_b,
                   .m = tile.m,
                   .n = tile.n,
                   .k = inner,
                   .alpha = tile.alpha,
                   .a = panel(tile.transpose_a, tile.a, tile.lda, l, tile.m, inner, a_),
                   .lda = tile.transpose_a ? tile.m : inner,
                   .b = panel(!tile.transpose_b, tile.b, tile.ldb, l, tile.n, inner, b_),
                   .ldb = tile.transpose_b ? inner : tile.n,
                   .beta = beta,
                   .c = c.data,
                   .ldc = c.ld});
      beta = 1;
      l += inner;
    } while (l < tile.k);
    if constexpr (!std::same_as<Result, float>) {
      host::narrow<Result>({c.data, c.ld}, tile.m, tile.n, {tile.c, tile.ldc});
    }
  }

 private:
  static std::size_t size(std::int64_t rows, std::int64_t columns) {
    return static_cast<std::size_t>(rows * columns);
  }

  /// Where the fp32 sums are taken, holding C where it counts.
  host::Rows<float> sums(const MatrixProduct<T, Result>& tile) {
    if constexpr (std::same_as<Result, float>) {
      return {tile.c, tile.ldc};
    } else {
      const host::Rows<float> c{c_.data(), tile.n};
      if (tile.beta != 0) host::widen<Result>({tile.c, tile.ldc}, tile.m, tile.n, c);
      return c;
    }
  }

  /// An operand from place `l` of the inner dimension on, which runs down its rows or along them.
  static const float* panel(bool inner_down, const T* from, std::int64_t ld, std::int64_t l,
                            std::int64_t outer, std::int64_t inner, std::vector<float>& to) {
    if (inner_down) {
      host::widen<T>({from + l * ld, ld}, inner, outer, {to.data(), outer});
    } else {
      host::widen<T>({from + l, ld}, outer, inner, {to.data(), inner});
    }
    return to.data();
  }

  std::vector<float> a_, b_, c_;
};

template <class Tiles, class T, class Result>
void multiply(const MatrixProduct<T, Result>& op, int threads) {
  check(op);
  if (op.m == 0 || op.n == 0) return;
  // Tiles as equal as can be, a function of the shape alone: the library's result for an element may
  // depend on where it lies in its tile.
  const std::int64_t down = (op.m + tile_rows - 1) / tile_rows;
  const std::int64_t across = (op.n + tile_columns - 1) / tile_columns;
  const bool parallel =
      threads > 1 && down * across > 1 && op.m * op.n * std::max<std::int64_t>(op.k, 1) > small;
#pragma omp parallel num_threads(threads) if (parallel)
  {
    Tiles tiles(op);
#pragma omp for collapse(2) schedule(dynamic)
    for (std::int64_t row = 0; row < down; ++row) {
      for (std::int64_t column = 0; column < across; ++column) {
        const std::int64_t i = op.m * row / down;
        const std::int64_t j = op.n * column / across;
        tiles.run(tile_of(op, i, op.m * (row + 1) / down - i, j, op.n * (column + 1) / across - j));
      }
    }
  }
}

}  // namespace

void HostDevice::matmul(const MatrixProduct<float>& op) {
  multiply<WholeTiles<float>>(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<double>& op) {
  multiply<WholeTiles<double>>(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<Float16>& op) {
  multiply<WidenedTiles<Float16, Float16>>(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<Float16, float>& op) {
  multiply<WidenedTiles<Float16, float>>(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<BFloat16>& op) {
  multiply<WidenedTiles<BFloat16, BFloat16>>(op, threads_);
}
void HostDevice::matmul(const MatrixProduct<BFloat16, float>& op) {
  multiply<WidenedTiles<BFloat16, float>>(op, threads_);
}

}  // namespace incipit::device
