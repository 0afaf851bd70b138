#pragma once

#include <cstdint>

namespace incipit::device {

/// What becomes of a sequence's rows: their mean, their first, or the largest of each column.
enum class Pool { mean, first, max };

/// One row for each sequence of rows that lie one after the other. Sums are taken in fp32 from the first row
/// to the last. NaN stays NaN.
struct PoolRows {
  std::int64_t sequences = 0;
  std::int64_t d = 0;
  Pool pool = Pool::mean;
  const std::int32_t* starts = nullptr;  ///< [sequences + 1]; each has a row at least
  const float* in = nullptr;             ///< [rows, d]
  float* out = nullptr;                  ///< [sequences, d], apart from in
};

}  // namespace incipit::device
