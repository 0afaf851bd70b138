#pragma once

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

}  // namespace incipit::align
