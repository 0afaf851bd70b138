#include "align/linear_algebra.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "device/host/host_device.hpp"
#include "error.hpp"

// The Fortran interfaces of BLAS and LAPACK, the only ones that every implementation has. Matrices are
// column-major there: what is row-major here is its transpose.
extern "C" {
void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*, const double*,
            const int*, const double*, const int*, const double*, double*, const int*);
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*,
            const int*, const float*, const int*, const float*, float*, const int*);
void dpotrf_(const char*, const int*, double*, const int*, int*);
void dpotrs_(const char*, const int*, const int*, const double*, const int*, double*, const int*, int*);
}

namespace incipit::align {
namespace {

int narrow(int64_t value) {
  if (value > std::numeric_limits<int>::max())
    throw Error(Exit::machine,
                "a matrix dimension of " + std::to_string(value) + " is beyond LAPACK's integers");
  return static_cast<int>(value);
}

void check(int info, const char* routine) {
  if (info != 0)
    throw Error(info > 0 ? Exit::numbers : Exit::defect,
                std::string(routine) + " failed with info = " + std::to_string(info) +
                    (info > 0 ? ": no convergence" : ": an argument is wrong"));
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c,
              int64_t ldc) {
  const int mi = narrow(m), ni = narrow(n), ki = narrow(k), la = narrow(lda), lb = narrow(ldb),
            lc = narrow(ldc);
  if (m == 0 || n == 0) return;
  dgemm_(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &ni, &mi, &ki, &alpha, b, &lb, a, &la, &beta, c,
         &lc);
}

void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  const int mi = narrow(m), ni = narrow(n), ki = narrow(k), la = narrow(lda), lb = narrow(ldb),
            lc = narrow(ldc);
  if (m == 0 || n == 0) return;
  sgemm_(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &ni, &mi, &ki, &alpha, b, &lb, a, &la, &beta, c,
         &lc);
}

void Centred::copy(int64_t begin, int64_t count, int64_t column, int64_t width, double* out) const {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = index.empty() ? begin + i : index[static_cast<size_t>(begin + i)];
    const float* from = rows.row(row) + column;
    const double* centre = mean.data() + column;
    for (int64_t j = 0; j < width; ++j) out[i * width + j] = static_cast<double>(from[j]) - centre[j];
  }
}

std::vector<double> Centred::copy() const {
  std::vector<double> all(static_cast<size_t>(n() * d()));
  copy(0, n(), 0, d(), all.data());
  return all;
}

double Centred::squares() const {
  double total = 0;
  std::vector<double> row(static_cast<size_t>(d()));
  for (int64_t i = 0; i < n(); ++i) {
    copy(i, 1, 0, d(), row.data());
    double square = 0;
    for (const double v : row) square += v * v;
    total += square;
  }
  return total;
}

std::vector<double> column_means(Rows rows, std::span<const int64_t> index) {
  std::vector<double> mean(static_cast<size_t>(rows.d), 0.0);
  const int64_t n = index.empty() ? rows.n : static_cast<int64_t>(index.size());
  if (n == 0) return mean;
  const auto row = [&](int64_t i) { return rows.row(index.empty() ? i : index[static_cast<size_t>(i)]); };
  const float* first = row(0);
  for (int64_t i = 1; i < n; ++i) {
    const float* here = row(i);
    for (int64_t j = 0; j < rows.d; ++j)
      mean[static_cast<size_t>(j)] += static_cast<double>(here[j]) - static_cast<double>(first[j]);
  }
  for (int64_t j = 0; j < rows.d; ++j) {
    double& m = mean[static_cast<size_t>(j)];
    m = static_cast<double>(first[j]) + m / static_cast<double>(n);
  }
  if (!all_finite(mean)) throw Error(Exit::numbers, "activations hold NaN or infinity");
  return mean;
}

template <class T>
device::Buffer<double> cross_covariance(device::Device& device, const DeviceRows& x, const DeviceRows& y,
                                        std::span<const int64_t> index, std::span<const double> mean_x,
                                        std::span<const double> mean_y) {
  const std::vector<int32_t> narrow_index(index.begin(), index.end());
  const device::Buffer<int32_t> which(device, std::span<const int32_t>(narrow_index));
  const device::Buffer<double> centre_x(device, mean_x), centre_y(device, mean_y);
  device::Buffer<double> out(device, static_cast<size_t>(x.rows.d * y.rows.d));
  device.cross_covariance(
      device::CrossCovariance<T>{.n = index.empty() ? x.rows.n : static_cast<int64_t>(index.size()),
                                 .d_x = x.rows.d,
                                 .d_y = y.rows.d,
                                 .x = x.data.data(),
                                 .y = y.data.data(),
                                 .index = which.data(),
                                 .mean_x = centre_x.data(),
                                 .mean_y = centre_y.data(),
                                 .out = out.data()});
  return out;
}
template device::Buffer<double> cross_covariance<float>(device::Device&, const DeviceRows&, const DeviceRows&,
                                                        std::span<const int64_t>, std::span<const double>,
                                                        std::span<const double>);
template device::Buffer<double> cross_covariance<double>(device::Device&, const DeviceRows&,
                                                         const DeviceRows&, std::span<const int64_t>,
                                                         std::span<const double>, std::span<const double>);

std::vector<double> cross_product(device::Device& device, const Centred& x, const Centred& y) {
  return cross_covariance<double>(device, DeviceRows(device, x.rows), DeviceRows(device, y.rows), x.index,
                                  x.mean, y.mean)
      .download();
}

std::vector<double> cross_product(const Centred& x, const Centred& y) {
  return cross_product(*device::make_host_device(omp_get_max_threads()), x, y);
}

Svd svd(device::Device& device, device::Buffer<double> a, int64_t m, int64_t n) {
  const int64_t p = std::min(m, n);
  device::Buffer<double> u(device, static_cast<size_t>(m * p)), s(device, static_cast<size_t>(p)),
      vt(device, static_cast<size_t>(p * n));
  device.svd({.m = m, .n = n, .a = a.data(), .u = u.data(), .s = s.data(), .vt = vt.data()});
  return {p, u.download(), s.download(), vt.download()};
}

Qr qr_of_transpose(device::Device& device, std::span<const double> rows, int64_t n, int64_t d) {
  Qr out{{device, rows}, {device, static_cast<size_t>(n * n)}};
  device.qr_of_transpose({.n = n, .d = d, .rows = out.q.data(), .r = out.r.data()});
  return out;
}

bool solve_positive(std::vector<double> a, int64_t n, std::vector<double>& b, int64_t columns) {
  const int order = narrow(n), count = narrow(columns);
  int info = 0;
  dpotrf_("U", &order, a.data(), &order, &info);
  if (info > 0) return false;
  check(info, "dpotrf");
  std::vector<double> by_column(b.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < columns; ++j)
      by_column[static_cast<size_t>(j * n + i)] = b[static_cast<size_t>(i * columns + j)];
  dpotrs_("U", &order, &count, a.data(), &order, by_column.data(), &order, &info);
  check(info, "dpotrs");
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < columns; ++j)
      b[static_cast<size_t>(i * columns + j)] = by_column[static_cast<size_t>(j * n + i)];
  return true;
}

}  // namespace incipit::align
