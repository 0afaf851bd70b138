#include "align/linear_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "error.hpp"

// The Fortran interfaces of BLAS and LAPACK, the only ones that every implementation has. Matrices are
// column-major there: what is row-major here is its transpose.
extern "C" {
void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*, const double*,
            const int*, const double*, const int*, const double*, double*, const int*);
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*,
            const int*, const float*, const int*, const float*, float*, const int*);
void dgesdd_(const char*, const int*, const int*, double*, const int*, double*, double*, const int*, double*,
             const int*, double*, const int*, int*, int*);
void dgesvd_(const char*, const char*, const int*, const int*, double*, const int*, double*, double*,
             const int*, double*, const int*, double*, const int*, int*);
void dgeqrf_(const int*, const int*, double*, const int*, double*, double*, const int*, int*);
void dorgqr_(const int*, const int*, const int*, double*, const int*, const double*, double*, const int*,
             int*);
void dpotrf_(const char*, const int*, double*, const int*, int*);
void dpotrs_(const char*, const int*, const int*, const double*, const int*, double*, const int*, int*);
}

namespace incipit::align {
namespace {

constexpr int64_t tile_columns = 512;

int narrow(int64_t value) {
  if (value > std::numeric_limits<int>::max())
    throw Error(Exit::machine,
                "a matrix dimension of " + std::to_string(value) + " is beyond LAPACK's integers");
  return static_cast<int>(value);
}

/// LAPACK answers a workspace query with a floating-point length.
int work_length(double asked) {
  return narrow(std::max<int64_t>(1, std::llround(asked)));
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

/// The slower, sturdier algorithm, for the matrices on which divide and conquer gives up.
int svd_by_qr(std::vector<double>& a, int rows, int columns, Svd& out) {
  const int p = narrow(out.p);
  double asked = 0;
  int query = -1, info = 0;
  dgesvd_("S", "S", &rows, &columns, a.data(), &rows, out.s.data(), out.vt.data(), &rows, out.u.data(), &p,
          &asked, &query, &info);
  check(info, "dgesvd");
  const int length = work_length(asked);
  std::vector<double> work(static_cast<size_t>(length));
  dgesvd_("S", "S", &rows, &columns, a.data(), &rows, out.s.data(), out.vt.data(), &rows, out.u.data(), &p,
          work.data(), &length, &info);
  return info;
}

int svd_by_halves(std::vector<double>& a, int rows, int columns, Svd& out) {
  const int p = narrow(out.p);
  std::vector<int> integers(static_cast<size_t>(8 * out.p));
  double asked = 0;
  int query = -1, info = 0;
  dgesdd_("S", &rows, &columns, a.data(), &rows, out.s.data(), out.vt.data(), &rows, out.u.data(), &p, &asked,
          &query, integers.data(), &info);
  check(info, "dgesdd");
  const int length = work_length(asked);
  std::vector<double> work(static_cast<size_t>(length));
  dgesdd_("S", &rows, &columns, a.data(), &rows, out.s.data(), out.vt.data(), &rows, out.u.data(), &p,
          work.data(), &length, integers.data(), &info);
  return info;
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

std::vector<double> cross_product(const Centred& x, const Centred& y) {
  const int64_t n = x.n(), dx = x.d(), dy = y.d();
  std::vector<double> c(static_cast<size_t>(dx * dy), 0.0);
  const int64_t tiles_x = (dx + tile_columns - 1) / tile_columns,
                tiles_y = (dy + tile_columns - 1) / tile_columns;
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < tiles_x * tiles_y; ++tile) {
    const int64_t cx = tile / tiles_y * tile_columns, cy = tile % tiles_y * tile_columns;
    const int64_t wx = std::min(tile_columns, dx - cx), wy = std::min(tile_columns, dy - cy);
    std::vector<double> bx(static_cast<size_t>(block_rows * wx)), by(static_cast<size_t>(block_rows * wy));
    for (int64_t begin = 0; begin < n; begin += block_rows) {
      const int64_t count = std::min(block_rows, n - begin);
      x.copy(begin, count, cx, wx, bx.data());
      y.copy(begin, count, cy, wy, by.data());
      multiply(true, false, wx, wy, count, 1.0, bx.data(), wx, by.data(), wy, 1.0, c.data() + cx * dy + cy,
               dy);
    }
  }
  return c;
}

Svd svd(std::vector<double> a, int64_t m, int64_t n) {
  if (!all_finite(a)) throw Error(Exit::numbers, "a matrix to be decomposed holds NaN or infinity");
  Svd out;
  out.p = std::min(m, n);
  if (out.p == 0) return out;
  out.u.resize(static_cast<size_t>(m * out.p));
  out.s.resize(static_cast<size_t>(out.p));
  out.vt.resize(static_cast<size_t>(out.p * n));
  // To LAPACK the memory is aᵀ [n, m], whose left singular vectors, column-major, are our vt.
  std::vector<double> copy = a;
  if (svd_by_halves(copy, narrow(n), narrow(m), out) != 0)
    check(svd_by_qr(a, narrow(n), narrow(m), out), "dgesvd");
  return out;
}

Qr qr_of_transpose(std::vector<double> rows, int64_t n, int64_t d) {
  const int height = narrow(d), width = narrow(n);
  std::vector<double> tau(static_cast<size_t>(n));
  double asked = 0;
  int query = -1, info = 0;
  dgeqrf_(&height, &width, rows.data(), &height, tau.data(), &asked, &query, &info);
  check(info, "dgeqrf");
  int length = work_length(asked);
  std::vector<double> work(static_cast<size_t>(length));
  dgeqrf_(&height, &width, rows.data(), &height, tau.data(), work.data(), &length, &info);
  check(info, "dgeqrf");
  Qr out;
  out.r.assign(static_cast<size_t>(n * n), 0.0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j)
      out.r[static_cast<size_t>(i * n + j)] = rows[static_cast<size_t>(j * d + i)];
  dorgqr_(&height, &width, &width, rows.data(), &height, tau.data(), &asked, &query, &info);
  check(info, "dorgqr");
  length = work_length(asked);
  work.resize(static_cast<size_t>(length));
  dorgqr_(&height, &width, &width, rows.data(), &height, tau.data(), work.data(), &length, &info);
  check(info, "dorgqr");
  out.q = std::move(rows);
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
