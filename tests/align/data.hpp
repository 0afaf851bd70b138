#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "align/rows.hpp"
#include "device/host/host_device.hpp"
#include "random.hpp"

/// Made-up rows for the tests of align.
namespace incipit::align::test {

inline device::Device& host() {
  static const auto made = device::make_host_device(2);
  return *made;
}

struct Matrix {
  int64_t n = 0, d = 0;
  std::vector<float> data;

  [[nodiscard]] Rows rows() const { return {data, n, d}; }
  [[nodiscard]] double at(int64_t i, int64_t j) const { return data[static_cast<size_t>(i * d + j)]; }
};

inline Matrix noise(int64_t n, int64_t d, uint64_t stream, double scale = 1.0) {
  Random random(1, Purpose::test, stream);
  Matrix out{n, d, {}};
  for (int64_t i = 0; i < n * d; ++i) out.data.push_back(static_cast<float>(scale * random.normal()));
  return out;
}

/// Random orthogonal [d, d], rows orthonormal, by Gram and Schmidt.
inline std::vector<double> rotation(int64_t d, uint64_t stream) {
  Random random(2, Purpose::test, stream);
  std::vector<double> q(static_cast<size_t>(d * d));
  for (double& v : q) v = random.normal();
  for (int64_t i = 0; i < d; ++i) {
    double* row = q.data() + i * d;
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t k = 0; k < i; ++k) {
        const double* other = q.data() + k * d;
        double dot = 0;
        for (int64_t j = 0; j < d; ++j) dot += row[j] * other[j];
        for (int64_t j = 0; j < d; ++j) row[j] -= dot * other[j];
      }
    double norm = 0;
    for (int64_t j = 0; j < d; ++j) norm += row[j] * row[j];
    for (int64_t j = 0; j < d; ++j) row[j] /= std::sqrt(norm);
  }
  return q;
}

/// scale · x · q + shift, with q the first `columns` columns of a [d, d] matrix.
inline Matrix turned(const Matrix& x, const std::vector<double>& q, int64_t columns, double scale,
                     double shift) {
  Matrix out{x.n, columns, {}};
  for (int64_t i = 0; i < x.n; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < x.d; ++k) sum += x.at(i, k) * q[static_cast<size_t>(k * x.d + j)];
      out.data.push_back(static_cast<float>(scale * sum + shift));
    }
  return out;
}

/// Rows of rank q: noise of q dimensions turned into d, q ≤ d.
inline Matrix flat(int64_t n, int64_t d, int64_t q, uint64_t stream) {
  Matrix x = noise(n, d, stream);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = q; j < d; ++j) x.data[static_cast<size_t>(i * d + j)] = 0;
  return turned(x, rotation(d, stream + 1), d, 1.0, 0.5);
}

inline std::vector<int32_t> groups_of(int64_t n, int64_t size) {
  std::vector<int32_t> group;
  for (int64_t i = 0; i < n; ++i) group.push_back(static_cast<int32_t>(i / size));
  return group;
}

inline Matrix head(const Matrix& x, int64_t n) {
  return {n, x.d, {x.data.begin(), x.data.begin() + n * x.d}};
}
inline Matrix tail(const Matrix& x, int64_t n) {
  return {x.n - n, x.d, {x.data.begin() + n * x.d, x.data.end()}};
}

}  // namespace incipit::align::test
