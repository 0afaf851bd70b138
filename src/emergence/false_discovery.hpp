#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "nan.hpp"

namespace incipit::emergence {

/// q of each p among all that are numbers (Benjamini and Hochberg 1995): the rate of false discoveries at
/// which it would just be called. NaN stays NaN and counts for nothing.
[[nodiscard]] inline std::vector<double> false_discovery_rates(std::span<const double> p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (!std::isnan(p[i])) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> q(p.size(), nan);
  double least = 1;
  for (std::size_t rank = order.size(); rank-- > 0;) {
    least =
        std::min(least, p[order[rank]] * static_cast<double>(order.size()) / static_cast<double>(rank + 1));
    q[order[rank]] = least;
  }
  return q;
}

}  // namespace incipit::emergence
