#include "match/svd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "error.hpp"
#include "index.hpp"
#include "random.hpp"

// The Fortran interface is the one that every LAPACK has.
extern "C" void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                       double* work, const int* lwork, int* info);

namespace incipit::match {
namespace {

/// a (rows × columns, sparse) times b (columns × width), row-major. Each row is one thread's sum in a fixed
/// order.
std::vector<double> multiply(const SparseMatrix& a, const std::vector<double>& b, int64_t width,
                             int threads) {
  std::vector<double> c(at(a.rows * width));
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < a.rows; ++i) {
    double* out = &c[at(i * width)];
    for (int64_t e = a.start[at(i)]; e < a.start[at(i + 1)]; ++e) {
      const auto value = static_cast<double>(a.value[at(e)]);
      const double* in = &b[at(a.column[at(e)] * width)];
      for (int64_t j = 0; j < width; ++j) out[j] += value * in[j];
    }
  }
  return c;
}

/// bᵀb of a tall matrix [rows, width]: width×width. One thread per row of the result.
std::vector<double> gram(const std::vector<double>& b, int64_t width, int threads) {
  const int64_t rows = static_cast<int64_t>(b.size()) / width;
  std::vector<double> g(at(width * width));
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < width; ++i) {
    for (int64_t r = 0; r < rows; ++r) {
      const double factor = b[at(r * width + i)];
      for (int64_t j = 0; j < width; ++j) g[at(i * width + j)] += factor * b[at(r * width + j)];
    }
  }
  return g;
}

/// Eigenvectors of a symmetric matrix as columns, eigenvalues falling.
struct Eigen {
  std::vector<double> value, vector;  // vector: [n, n] row-major
};

Eigen eigen(std::vector<double> a, int64_t size) {
  const int n = static_cast<int>(size), work_size = std::max(1, 34 * n);
  std::vector<double> w(at(size)), work(static_cast<std::size_t>(work_size));
  int info = 0;
  dsyev_("V", "L", &n, a.data(), &n, w.data(), work.data(), &work_size, &info);
  if (info != 0) throw Error(Exit::numbers, fmt::format("match: dsyev says {}: no eigenvalues found", info));
  // LAPACK's are rising, one column-major column each.
  Eigen out{std::vector<double>(at(size)), std::vector<double>(at(size * size))};
  for (int64_t k = 0; k < size; ++k) {
    out.value[at(k)] = w[at(size - 1 - k)];
    for (int64_t i = 0; i < size; ++i) out.vector[at(i * size + k)] = a[at((size - 1 - k) * size + i)];
  }
  return out;
}

/// b [rows, width] times m [width, kept].
std::vector<double> turn(const std::vector<double>& b, int64_t width, const std::vector<double>& m,
                         int64_t kept, int threads) {
  const int64_t rows = static_cast<int64_t>(b.size()) / width;
  std::vector<double> c(at(rows * kept));
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < width; ++k) {
      const double factor = b[at(i * width + k)];
      for (int64_t j = 0; j < kept; ++j) c[at(i * kept + j)] += factor * m[at(k * kept + j)];
    }
  }
  return c;
}

/// Orthonormal columns with the span of b's, by its Gram matrix; directions that b does not have are dropped.
/// Done twice, since once loses half of the digits. Changes `width` to the number of columns left.
std::vector<double> orthonormal(std::vector<double> b, int64_t& width, int threads) {
  for (int round = 0; round < 2 && width > 0; ++round) {
    const Eigen e = eigen(gram(b, width, threads), width);
    int64_t kept = 0;
    while (kept < width && e.value[at(kept)] > 1e-12 * e.value[0]) ++kept;
    std::vector<double> m(at(width * kept));
    for (int64_t i = 0; i < width; ++i) {
      for (int64_t k = 0; k < kept; ++k) {
        m[at(i * kept + k)] = e.vector[at(i * width + k)] / std::sqrt(e.value[at(k)]);
      }
    }
    b = turn(b, width, m, kept, threads);
    width = kept;
  }
  return b;
}

}  // namespace

void SparseMatrix::add_row(const std::vector<int32_t>& row_columns, const std::vector<float>& row_values) {
  column.insert(column.end(), row_columns.begin(), row_columns.end());
  value.insert(value.end(), row_values.begin(), row_values.end());
  start.push_back(static_cast<int64_t>(column.size()));
  ++rows;
}

SparseMatrix SparseMatrix::transposed() const {
  SparseMatrix t;
  t.rows = columns;
  t.columns = rows;
  t.start.assign(at(columns + 1), 0);
  for (const int32_t c : column) ++t.start[at(c) + 1];
  for (int64_t c = 0; c < columns; ++c) t.start[at(c + 1)] += t.start[at(c)];
  t.column.resize(column.size());
  t.value.resize(value.size());
  std::vector<int64_t> next(t.start.begin(), t.start.end() - 1);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t e = start[at(r)]; e < start[at(r + 1)]; ++e) {
      const int64_t place = next[at(column[at(e)])]++;
      t.column[at(place)] = static_cast<int32_t>(r);
      t.value[at(place)] = value[at(e)];
    }
  }
  return t;
}

RightVectors truncated_svd(const SparseMatrix& a, int64_t rank, uint64_t seed, int threads) {
  constexpr int64_t spare = 20;
  constexpr int turns = 8;
  RightVectors out;
  int64_t width = std::min({rank + spare, a.rows, a.columns});
  if (width <= 0 || a.value.empty()) return out;
  const SparseMatrix transposed = a.transposed();
  std::vector<double> subspace(at(a.columns * width));
  Random random(seed, Purpose::lsa, 0);
  for (double& x : subspace) x = random.normal();
  for (int i = 0; i < turns; ++i) {
    const std::vector<double> through =
        multiply(a, orthonormal(std::move(subspace), width, threads), width, threads);
    subspace = multiply(transposed, through, width, threads);
  }
  subspace = orthonormal(std::move(subspace), width, threads);
  const std::vector<double> image = multiply(a, subspace, width, threads);
  const Eigen e = eigen(gram(image, width, threads), width);
  while (out.rank < std::min(rank, width) && e.value[at(out.rank)] > 1e-12 * e.value[0]) {
    out.value.push_back(std::sqrt(e.value[at(out.rank)]));
    ++out.rank;
  }
  std::vector<double> kept(at(width * out.rank));
  for (int64_t i = 0; i < width; ++i) {
    for (int64_t k = 0; k < out.rank; ++k) kept[at(i * out.rank + k)] = e.vector[at(i * width + k)];
  }
  out.vector = turn(subspace, width, kept, out.rank, threads);
  return out;
}

}  // namespace incipit::match
