#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "random.hpp"

/// Dense matrices in fp64 by plain loops, row-major, for the tests of decompositions.
namespace incipit::device::exact {

struct Matrix {
  std::int64_t m = 0, n = 0;
  std::vector<double> values;

  Matrix(std::int64_t rows, std::int64_t columns)
      : m(rows), n(columns), values(static_cast<std::size_t>(rows * columns), 0.0) {}
  Matrix(std::int64_t rows, std::int64_t columns, std::vector<double> all)
      : m(rows), n(columns), values(std::move(all)) {}

  double& operator()(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i * n + j)]; }
  double operator()(std::int64_t i, std::int64_t j) const {
    return values[static_cast<std::size_t>(i * n + j)];
  }
};

inline Matrix noise(std::int64_t m, std::int64_t n, std::uint64_t stream) {
  Random random(3, Purpose::test, stream);
  Matrix out(m, n);
  for (double& value : out.values) value = random.normal();
  return out;
}

inline Matrix transposed(const Matrix& a) {
  Matrix out(a.n, a.m);
  for (std::int64_t i = 0; i < a.m; ++i)
    for (std::int64_t j = 0; j < a.n; ++j) out(j, i) = a(i, j);
  return out;
}

inline Matrix times(const Matrix& a, const Matrix& b) {
  Matrix out(a.m, b.n);
  for (std::int64_t i = 0; i < a.m; ++i)
    for (std::int64_t k = 0; k < a.n; ++k)
      for (std::int64_t j = 0; j < b.n; ++j) out(i, j) += a(i, k) * b(k, j);
  return out;
}

inline double norm(const Matrix& a) {
  double square = 0;
  for (const double value : a.values) square += value * value;
  return std::sqrt(square);
}

/// ‖a − b‖
inline double distance(const Matrix& a, const Matrix& b) {
  double square = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    square += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  return std::sqrt(square);
}

inline Matrix identity(std::int64_t n) {
  Matrix out(n, n);
  for (std::int64_t i = 0; i < n; ++i) out(i, i) = 1;
  return out;
}

/// m×n with random orthonormal columns, n ≤ m, by Gram and Schmidt.
inline Matrix orthonormal(std::int64_t m, std::int64_t n, std::uint64_t stream) {
  Matrix rows = noise(n, m, stream);
  for (std::int64_t i = 0; i < n; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t k = 0; k < i; ++k) {
        double along = 0;
        for (std::int64_t j = 0; j < m; ++j) along += rows(i, j) * rows(k, j);
        for (std::int64_t j = 0; j < m; ++j) rows(i, j) -= along * rows(k, j);
      }
    }
    double square = 0;
    for (std::int64_t j = 0; j < m; ++j) square += rows(i, j) * rows(i, j);
    for (std::int64_t j = 0; j < m; ++j) rows(i, j) /= std::sqrt(square);
  }
  return transposed(rows);
}

/// left · diag(values) · rightᵀ
inline Matrix product(const Matrix& left, const std::vector<double>& values, const Matrix& right) {
  Matrix scaled = left;
  for (std::int64_t i = 0; i < left.m; ++i)
    for (std::int64_t j = 0; j < left.n; ++j) scaled(i, j) *= values[static_cast<std::size_t>(j)];
  return times(scaled, transposed(right));
}

}  // namespace incipit::device::exact
