#include "align/similarity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "align/linear_algebra.hpp"
#include "align/sample.hpp"
#include "error.hpp"
#include "nan.hpp"
#include "random.hpp"

namespace incipit::align {
namespace {

double sum_of_squares(std::span<const double> values) {
  double total = 0;
  for (const double v : values) total += v * v;
  return total;
}

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// HSIC₁ times n(n−3), for centred rows: without its diagonal, row i of the Gram matrix sums to −‖x_i‖².
double hsic(double product, std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<double>(x.size());
  const double shared = std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  return (product - shared) + sum(x) * sum(y) / ((n - 1) * (n - 2)) - 2.0 / (n - 2) * shared;
}

}  // namespace

Moments::Moments(device::Device& device, Rows rows_) : rows(rows_), mean(column_means(rows_)) {
  const Centred centred{rows, {}, mean};
  squares.reserve(static_cast<size_t>(rows.n));
  std::vector<double> row(static_cast<size_t>(rows.d));
  for (int64_t i = 0; i < rows.n; ++i) {
    centred.copy(i, 1, 0, rows.d, row.data());
    squares.push_back(sum_of_squares(row));
  }
  self = sum_of_squares(cross_product(device, centred, centred));
}

Cka cka(device::Device& device, const Moments& x, const Moments& y) {
  if (x.rows.n != y.rows.n)
    throw Error(Exit::data, "CKA needs the same probes on both sides; there are " + std::to_string(x.rows.n) +
                                " and " + std::to_string(y.rows.n));
  if (x.rows.n < 4) return {nan, nan};
  const double product = sum_of_squares(cross_product(device, {x.rows, {}, x.mean}, {y.rows, {}, y.mean}));
  const double own_x = hsic(x.self, x.squares, x.squares), own_y = hsic(y.self, y.squares, y.squares);
  Cka out;
  out.unbiased =
      own_x > 0 && own_y > 0 ? hsic(product, x.squares, y.squares) / std::sqrt(own_x * own_y) : nan;
  out.biased = x.self > 0 && y.self > 0 ? product / std::sqrt(x.self * y.self) : nan;
  return out;
}

Cka cka(device::Device& device, Rows x, Rows y) {
  return cka(device, Moments(device, x), Moments(device, y));
}

PairSample::PairSample(std::span<const int32_t> group, uint64_t seed) {
  const auto n = static_cast<int64_t>(group.size());
  index.resize(group.size());
  std::iota(index.begin(), index.end(), int64_t{0});
  if (n > largest_sample) {
    Random random(seed, Purpose::shuffle_alignment, sample_stream);
    index = permutation(n, random);
    index.resize(static_cast<size_t>(largest_sample));
    std::sort(index.begin(), index.end());
  }
  for (const int64_t i : index) groups.push_back(group[static_cast<size_t>(i)]);
}

std::vector<double> PairSample::cosines(Rows rows) const {
  const auto mean = column_means(rows);
  const int64_t n = static_cast<int64_t>(index.size()), d = rows.d;
  auto unit = Centred{rows, index, mean}.copy();
  double largest = 0;
  std::vector<double> norm;
  for (int64_t i = 0; i < n; ++i) {
    norm.push_back(std::sqrt(sum_of_squares({unit.data() + i * d, static_cast<size_t>(d)})));
    largest = std::max(largest, norm.back());
  }
  for (int64_t i = 0; i < n; ++i) {
    // What is left of a row that equals the mean is rounding, and has no direction.
    const double length = norm[static_cast<size_t>(i)];
    const double factor = length > 1e-12 * largest ? 1.0 / length : nan;
    for (int64_t j = 0; j < d; ++j) unit[static_cast<size_t>(i * d + j)] *= factor;
  }
  std::vector<double> gram(static_cast<size_t>(n * n));
#pragma omp parallel for schedule(dynamic)
  for (int64_t begin = 0; begin < n; begin += block_rows) {
    const int64_t count = std::min(block_rows, n - begin);
    multiply(false, true, count, n - begin, d, 1.0, unit.data() + begin * d, d, unit.data() + begin * d, d,
             0.0, gram.data() + begin * n + begin, n);
  }
  return gram;
}

double PairSample::correlation(std::span<const double> x, std::span<const double> y) const {
  const auto n = static_cast<int64_t>(index.size());
  int64_t pairs = 0;
  double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i + 1; j < n; ++j) {
      if (groups[static_cast<size_t>(i)] == groups[static_cast<size_t>(j)]) continue;
      const double a = x[static_cast<size_t>(i * n + j)], b = y[static_cast<size_t>(i * n + j)];
      if (std::isnan(a) || std::isnan(b)) continue;
      ++pairs;
      sx += a;
      sy += b;
      sxx += a * a;
      syy += b * b;
      sxy += a * b;
    }
  }
  if (pairs < 3) return nan;
  const auto count = static_cast<double>(pairs);
  const double vx = sxx / count - (sx / count) * (sx / count), vy = syy / count - (sy / count) * (sy / count);
  constexpr double rounding = 1e-13;
  if (vx <= rounding || vy <= rounding) return nan;
  return (sxy / count - (sx / count) * (sy / count)) / std::sqrt(vx * vy);
}

double cosine_correlation(Rows x, Rows y, std::span<const int32_t> group, uint64_t seed) {
  if (x.n != y.n || x.n != static_cast<int64_t>(group.size()))
    throw Error(Exit::data, "cosine correlation needs the same probes on both sides, each with its group");
  const PairSample sample(group, seed);
  return sample.correlation(sample.cosines(x), sample.cosines(y));
}

double effective_rank(std::span<const double> singular_values) {
  const double total = sum(singular_values);
  if (!(total > 0)) return 0;
  double entropy = 0;
  for (const double s : singular_values)
    if (s > 0) entropy -= s / total * std::log(s / total);
  return std::exp(entropy);
}

}  // namespace incipit::align
