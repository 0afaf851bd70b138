#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "random.hpp"

namespace incipit::interpret {

/// `count` of the values (all if there are fewer), in random order.
inline std::vector<std::int64_t> sample(std::vector<std::int64_t> values, std::size_t count, Random& random) {
  count = std::min(count, values.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(values[i], values[i + static_cast<std::size_t>(random.below(values.size() - i))]);
  }
  values.resize(count);
  return values;
}

}  // namespace incipit::interpret
