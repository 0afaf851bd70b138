#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/rows.hpp"
#include "device/device.hpp"

/// Dense algebra in fp64 on row-major matrices: over single-threaded BLAS and LAPACK, and on a device where
/// one is given. Blocks and tiles are fixed, so results do not depend on the number of threads.
namespace incipit::align {

/// Rows that one multiplication takes in; results depend on it.
inline constexpr int64_t block_rows = 256;

/// C[m, n] = alpha op(A) op(B) + beta C; op transposes where asked. lda, ldb, ldc: row lengths in memory.
void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c,
              int64_t ldc);
void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

/// Some rows of a view, minus a mean; `index` empty: all of them.
struct Centred {
  Rows rows;
  std::span<const int64_t> index;
  std::span<const double> mean;

  [[nodiscard]] int64_t n() const { return index.empty() ? rows.n : static_cast<int64_t>(index.size()); }
  [[nodiscard]] int64_t d() const { return rows.d; }
  /// Rows [begin, begin + count), columns [column, column + width) into out [count, width].
  void copy(int64_t begin, int64_t count, int64_t column, int64_t width, double* out) const;
  /// All of it, [n, d].
  [[nodiscard]] std::vector<double> copy() const;
  /// Σ‖x − mean‖²
  [[nodiscard]] double squares() const;
};

/// Column means over the rows of `index` (empty: all), exact for a column of equal numbers, so that rows that
/// are all the same have no variance. Error numbers when they are not finite.
std::vector<double> column_means(Rows rows, std::span<const int64_t> index = {});

/// Rows, and their copy in a device's memory.
struct DeviceRows {
  DeviceRows(device::Device& device, Rows view) : rows(view), data(device, view.data) {}

  Rows rows;
  device::Buffer<float> data;
};

/// Σ_i (x_i − μ_x)(y_i − μ_y)ᵀ over the rows of `index` (empty: all) of both, [x.d, y.d] on the device. T,
/// float or double, is what is summed in (device/cross_covariance.hpp).
template <class T>
device::Buffer<double> cross_covariance(device::Device& device, const DeviceRows& x, const DeviceRows& y,
                                        std::span<const int64_t> index, std::span<const double> mean_x,
                                        std::span<const double> mean_y);

/// The same in fp64, brought back; x and y with the same index. Without a device: on the host.
std::vector<double> cross_product(device::Device& device, const Centred& x, const Centred& y);
std::vector<double> cross_product(const Centred& x, const Centred& y);

/// a[m, n] = u diag(s) vt with p = min(m, n): u [m, p], vt [p, n]; s descending.
struct Svd {
  int64_t p = 0;
  std::vector<double> u, s, vt;
};
/// Error numbers when a is not finite or nothing converges.
Svd svd(device::Device& device, device::Buffer<double> a, int64_t m, int64_t n);

/// rowsᵀ[d, n] = q r for n ≤ d, on the device: q held as its transpose [n, d] (orthonormal rows), r [n, n]
/// upper triangular. Error numbers when the rows are not finite.
struct Qr {
  device::Buffer<double> q, r;
};
Qr qr_of_transpose(device::Device& device, std::span<const double> rows, int64_t n, int64_t d);

/// Solves a x = b in place for symmetric positive definite a [n, n] and b [n, columns]; false when a is not
/// positive definite to working precision.
bool solve_positive(std::vector<double> a, int64_t n, std::vector<double>& b, int64_t columns);

}  // namespace incipit::align
