// What kernels/solver.cu is to a device: decompositions, here by plain loops. Singular values by rotations of
// pairs of columns until all are orthogonal (one-sided Jacobi), QR by Householder's reflectors.

#include "solver.cuh"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "error.hpp"

namespace incipit::device::cuda {
namespace {

constexpr double epsilon = 2.220446049250313e-16;

double dot(const double* x, const double* y, std::int64_t n) {
  return std::inner_product(x, x + n, y, 0.0);
}

/// Of any size: squares of what repeated rows leave are too small for a double.
double length_of(const double* x, std::int64_t n) {
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (largest == 0) return 0;
  double square = 0;
  for (std::int64_t i = 0; i < n; ++i) square += (x[i] / largest) * (x[i] / largest);
  return largest * std::sqrt(square);
}

void rotate(double* x, double* y, std::int64_t n, double cosine, double sine) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double a = x[i];
    const double b = y[i];
    x[i] = cosine * a - sine * b;
    y[i] = sine * a + cosine * b;
  }
}

/// Turns columns i and j of a, and of `right` with them, until they are orthogonal; false if they were.
/// Columns that are nothing but rounding, shorter than `nothing`, are left alone.
bool make_orthogonal(const Solver::Svd& svd, std::int64_t i, std::int64_t j, double nothing) {
  double* x = svd.a + i * svd.rows;
  double* y = svd.a + j * svd.rows;
  const double xx = dot(x, x, svd.rows);
  const double yy = dot(y, y, svd.rows);
  const double xy = dot(x, y, svd.rows);
  if (std::sqrt(std::min(xx, yy)) <= nothing || std::abs(xy) <= 4 * epsilon * std::sqrt(xx) * std::sqrt(yy))
    return false;
  const double zeta = (yy - xx) / (2 * xy);
  const double tangent = (zeta < 0 ? -1 : 1) / (std::abs(zeta) + std::hypot(1.0, zeta));
  const double cosine = 1 / std::hypot(1.0, tangent);
  rotate(x, y, svd.rows, cosine, cosine * tangent);
  rotate(svd.right + i * svd.columns, svd.right + j * svd.columns, svd.columns, cosine, cosine * tangent);
  return true;
}

/// A direction that the first `have` columns of `basis` do not span: of the axes, the one they hold least of.
void complete(double* basis, std::int64_t rows, std::int64_t have) {
  std::vector<double> held(static_cast<std::size_t>(rows), 0.0);
  for (std::int64_t j = 0; j < have; ++j)
    for (std::int64_t i = 0; i < rows; ++i)
      held[static_cast<std::size_t>(i)] += basis[j * rows + i] * basis[j * rows + i];
  double* x = basis + have * rows;
  std::fill_n(x, rows, 0.0);
  x[std::min_element(held.begin(), held.end()) - held.begin()] = 1;
  for (int pass = 0; pass < 2; ++pass) {
    for (std::int64_t j = 0; j < have; ++j) {
      const double along = dot(x, basis + j * rows, rows);
      for (std::int64_t i = 0; i < rows; ++i) x[i] -= along * basis[j * rows + i];
    }
  }
  const double norm = std::sqrt(dot(x, x, rows));
  for (std::int64_t i = 0; i < rows; ++i) x[i] /= norm;
}

/// The columns of a, by length, and those of `right` in the same order.
void sort_out(const Solver::Svd& svd, double nothing) {
  std::vector<double> norm;
  for (std::int64_t j = 0; j < svd.columns; ++j)
    norm.push_back(std::sqrt(dot(svd.a + j * svd.rows, svd.a + j * svd.rows, svd.rows)));
  std::vector<std::int64_t> order(static_cast<std::size_t>(svd.columns));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    return norm[static_cast<std::size_t>(i)] > norm[static_cast<std::size_t>(j)];
  });
  const std::vector<double> right(svd.right, svd.right + svd.columns * svd.columns);
  for (std::int64_t j = 0; j < svd.columns; ++j) {
    const std::int64_t from = order[static_cast<std::size_t>(j)];
    const double length = norm[static_cast<std::size_t>(from)];
    std::copy_n(right.begin() + from * svd.columns, svd.columns, svd.right + j * svd.columns);
    svd.values[j] = length;
    double* left = svd.left + j * svd.rows;
    if (length <= nothing) {
      complete(svd.left, svd.rows, j);
    } else {
      for (std::int64_t i = 0; i < svd.rows; ++i) left[i] = svd.a[from * svd.rows + i] / length;
    }
  }
}

}  // namespace

struct Solver::Library {};

Solver::Solver(Memory& /*memory*/) {}
Solver::~Solver() = default;

std::string Solver::version() {
  return "Jacobi's rotations";
}

void Solver::svd(const Svd& svd, const Call& call) {
  constexpr int most_sweeps = 60;
  const double norm = std::sqrt(dot(svd.a, svd.a, svd.rows * svd.columns));
  const double nothing = epsilon * norm;
  for (std::int64_t j = 0; j < svd.columns; ++j)
    for (std::int64_t i = 0; i < svd.columns; ++i) svd.right[j * svd.columns + i] = i == j ? 1 : 0;
  bool turned = true;
  for (int sweep = 0; turned; ++sweep) {
    if (sweep == most_sweeps) throw Error(Exit::numbers, describe(call) + ": no convergence");
    turned = false;
    for (std::int64_t i = 0; i < svd.columns; ++i)
      for (std::int64_t j = i + 1; j < svd.columns; ++j) turned |= make_orthogonal(svd, i, j, nothing);
  }
  sort_out(svd, nothing);
}

// A reflector is 1 − scale · v · vᵀ with v = (1, what stands below the diagonal).

namespace {

void reflect(const double* v, double scale, std::int64_t n, double* x) {
  double along = x[0];
  for (std::int64_t i = 1; i < n; ++i) along += v[i] * x[i];
  x[0] -= scale * along;
  for (std::int64_t i = 1; i < n; ++i) x[i] -= scale * along * v[i];
}

}  // namespace

void Solver::factor(const Qr& qr, const Call& /*call*/) {
  // Less is no direction, and need not be taken off.
  constexpr double least = 1e-290;
  for (std::int64_t j = 0; j < qr.columns; ++j) {
    double* v = qr.a + j * qr.rows + j;
    const std::int64_t n = qr.rows - j;
    const double below = length_of(v + 1, n - 1);
    qr.scales[j] = 0;
    if (below < least) continue;
    const double beta = v[0] > 0 ? -std::hypot(v[0], below) : std::hypot(v[0], below);
    qr.scales[j] = (beta - v[0]) / beta;
    for (std::int64_t i = 1; i < n; ++i) v[i] /= v[0] - beta;
    for (std::int64_t k = j + 1; k < qr.columns; ++k) reflect(v, qr.scales[j], n, qr.a + k * qr.rows + j);
    v[0] = beta;
  }
}

void Solver::form_q(const Qr& qr, const Call& /*call*/) {
  for (std::int64_t j = qr.columns - 1; j >= 0; --j) {
    const std::int64_t n = qr.rows - j;
    double* column = qr.a + j * qr.rows;
    const std::vector<double> v(column + j, column + qr.rows);
    std::fill_n(column, qr.rows, 0.0);
    column[j] = 1;
    for (std::int64_t k = j; k < qr.columns; ++k) reflect(v.data(), qr.scales[j], n, qr.a + k * qr.rows + j);
  }
}

}  // namespace incipit::device::cuda
