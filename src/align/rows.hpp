#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace incipit::align {

/// A view of n rows of d numbers, row-major and without gaps. The owner must outlive it.
struct Rows {
  std::span<const float> data;
  int64_t n = 0;
  int64_t d = 0;

  [[nodiscard]] const float* row(int64_t i) const { return data.data() + i * d; }
};

/// Whether the rows differ: ones that are all alike span nothing that others could be turned onto.
[[nodiscard]] inline bool varies(Rows x) {
  for (int64_t i = 1; i < x.n; ++i)
    if (!std::equal(x.row(i), x.row(i) + x.d, x.row(0))) return true;
  return false;
}

}  // namespace incipit::align
