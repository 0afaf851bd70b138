#include "emergence/estimate.hpp"

#include <algorithm>
#include <cmath>

#include "quantile.hpp"

namespace incipit::emergence {
namespace {

constexpr double tail = 0.025;

std::vector<double> finite(std::span<const double> values) {
  std::vector<double> out;
  out.reserve(values.size());
  std::copy_if(values.begin(), values.end(), std::back_inserter(out),
               [](double v) { return std::isfinite(v); });
  return out;
}

}  // namespace

double quantile(std::span<const double> values, double q) {
  auto kept = finite(values);
  std::sort(kept.begin(), kept.end());
  return sorted_quantile(kept, q);
}

double mean(std::span<const double> values) {
  double sum = 0;
  int64_t count = 0;
  for (const double v : values) {
    if (std::isnan(v)) continue;
    sum += v;
    ++count;
  }
  return count == 0 ? nan : sum / static_cast<double>(count);
}

Estimate estimate(double value, std::span<const double> draws, std::span<const double> null) {
  Estimate out;
  out.value = value;
  if (std::isnan(value)) return out;
  auto kept = finite(draws);
  std::sort(kept.begin(), kept.end());
  out.low = sorted_quantile(kept, tail);
  out.high = sorted_quantile(kept, 1 - tail);

  auto chance = finite(null);
  if (chance.empty()) return out;
  double total = 0;
  int64_t reached = 0;
  // The same counts give the same share only up to rounding.
  const double bound = value - 1e-12 * std::max(1.0, std::abs(value));
  for (const double v : chance) {
    total += v;
    reached += v >= bound ? 1 : 0;
  }
  const auto count = static_cast<double>(chance.size());
  out.null_mean = total / count;
  out.p = (1.0 + static_cast<double>(reached)) / (1.0 + count);
  std::sort(chance.begin(), chance.end());
  out.null_low = sorted_quantile(chance, tail);
  out.null_high = sorted_quantile(chance, 1 - tail);
  return out;
}

Estimate estimate_share(double value, std::span<const double> draws, std::span<const double> null,
                        int64_t groups) {
  Estimate out = estimate(value, draws, null);
  if (draws.empty() || std::isnan(value) || groups < 1) return out;
  const auto all = [&](double v) {
    return std::all_of(draws.begin(), draws.end(), [v](double d) { return d == v; });
  };
  const double reach = std::pow(tail, 1.0 / static_cast<double>(groups));
  if (all(0.0)) out.high = 1.0 - reach;
  if (all(1.0)) out.low = reach;
  return out;
}

}  // namespace incipit::emergence
