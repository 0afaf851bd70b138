#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "nan.hpp"

namespace incipit {

/// Quantile `q` (0..1) of ascending values, linear between order statistics; NaN of none.
inline double sorted_quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return nan;
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace incipit
