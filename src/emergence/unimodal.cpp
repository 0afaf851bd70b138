#include "emergence/unimodal.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace incipit::emergence {
namespace {

struct Pool {
  double mean;
  std::size_t count;
};

double squared_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

std::vector<double> non_decreasing(std::span<const double> y) {
  std::vector<Pool> pools;
  for (const double value : y) {
    pools.push_back({value, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean > pools.back().mean) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& before = pools.back();
      const std::size_t count = before.count + last.count;
      before.mean =
          (before.mean * static_cast<double>(before.count) + last.mean * static_cast<double>(last.count)) /
          static_cast<double>(count);
      before.count = count;
    }
  }
  std::vector<double> fit;
  for (const Pool& pool : pools) fit.insert(fit.end(), pool.count, pool.mean);
  return fit;
}

std::vector<double> non_increasing(std::span<const double> y) {
  std::vector<double> reversed(y.rbegin(), y.rend());
  auto fit = non_decreasing(reversed);
  std::reverse(fit.begin(), fit.end());
  return fit;
}

std::vector<double> unimodal(std::span<const double> y) {
  std::vector<double> best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t rising = 0; rising <= y.size(); ++rising) {
    auto fit = non_decreasing(y.first(rising));
    const auto falling = non_increasing(y.subspan(rising));
    fit.insert(fit.end(), falling.begin(), falling.end());
    const double distance = squared_distance(fit, y);
    if (!(distance < least)) continue;
    least = distance;
    best = std::move(fit);
  }
  return best;
}

}  // namespace incipit::emergence
