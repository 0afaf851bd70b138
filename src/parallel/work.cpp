#include "parallel/work.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

namespace incipit::parallel {

BlockRange block_of(std::int64_t n, int parts, int part) {
  const std::int64_t length = n / parts, longer = n % parts;
  const std::int64_t begin = length * part + std::min<std::int64_t>(part, longer);
  return {begin, begin + length + (part < longer ? 1 : 0)};
}

std::vector<int> assign_longest_first(std::span<const double> costs, int bins) {
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return costs[a] > costs[b]; });
  using Load = std::pair<double, int>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> lightest;
  for (int bin = 0; bin < bins; ++bin) lightest.emplace(0.0, bin);
  std::vector<int> bin_of(costs.size());
  for (const std::size_t job : order) {
    const auto [load, bin] = lightest.top();
    lightest.pop();
    bin_of[job] = bin;
    lightest.emplace(load + costs[job], bin);
  }
  return bin_of;
}

}  // namespace incipit::parallel
