#include "sae/geometric_median.hpp"

#include <algorithm>
#include <cmath>

#include "sae/weighted_sum.hpp"

namespace incipit::sae {
namespace {

constexpr double tolerance = 1e-6;
constexpr int most_steps = 200;

/// One step from `point`; rows nearer than `same` stand on it.
std::vector<double> step(std::span<const float> rows, std::int64_t d, const std::vector<double>& point,
                         double same) {
  const std::int64_t n = static_cast<std::int64_t>(rows.size()) / d;
  std::vector<char> here(n, 0);
  const WeightedSum away = weighted_sum(rows, d, [&](std::int64_t i, const float* row) {
    const double distance = std::sqrt(squared_distance(row, point.data(), d));
    here[i] = distance <= same ? 1 : 0;
    return here[i] != 0 ? 0.0 : 1 / distance;
  });
  if (away.weights == 0) return point;

  // Σ (row − point)/distance over the rows elsewhere pulls away from the point, those on it hold it.
  double pull = 0;
  for (std::int64_t c = 0; c < d; ++c) pull += std::pow(away.rows[c] - away.weights * point[c], 2);
  pull = std::sqrt(pull);
  const auto holding = static_cast<double>(std::count(here.begin(), here.end(), 1));
  const double stay = pull > 0 ? std::min(1.0, holding / pull) : 1;
  std::vector<double> next(d);
  for (std::int64_t c = 0; c < d; ++c) next[c] = (1 - stay) * away.rows[c] / away.weights + stay * point[c];
  return next;
}

}  // namespace

std::vector<double> geometric_median(std::span<const float> rows, std::int64_t d) {
  const std::int64_t n = static_cast<std::int64_t>(rows.size()) / d;
  std::vector<double> point = weighted_sum(rows, d, [](std::int64_t, const float*) { return 1.0; }).rows;
  for (double& value : point) value /= static_cast<double>(n);
  const double spread = std::sqrt(
      weighted_sum(rows, d,
                   [&](std::int64_t, const float* row) { return squared_distance(row, point.data(), d); })
          .weights /
      static_cast<double>(n));
  if (!(spread > 0)) return point;
  for (int i = 0; i < most_steps; ++i) {
    std::vector<double> next = step(rows, d, point, 1e-12 * spread);
    double moved = 0;
    for (std::int64_t c = 0; c < d; ++c) moved += std::pow(next[c] - point[c], 2);
    point = std::move(next);
    if (std::sqrt(moved) <= tolerance * spread) break;
  }
  return point;
}

}  // namespace incipit::sae
