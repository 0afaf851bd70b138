#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace incipit::sae {

struct WeightedSum {
  std::vector<double> rows;  ///< d, Σ weight · row
  double weights = 0;        ///< Σ weight
};

/// Σ_i weight(i, row_i)·row_i over n×d rows in fp64: within blocks of 512 rows in row order, then over blocks
/// in block order, so that the bytes do not depend on the number of threads. `weight` is called once per row.
template <class Weight>
WeightedSum weighted_sum(std::span<const float> rows, std::int64_t d, const Weight& weight) {
  constexpr std::int64_t block_rows = 512;
  const std::int64_t n = static_cast<std::int64_t>(rows.size()) / d;
  const std::int64_t blocks = (n + block_rows - 1) / block_rows;
  std::vector<double> partial(blocks * d, 0.0);
  std::vector<double> weights(blocks, 0.0);
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t block = 0; block < blocks; ++block) {
    double* sum = partial.data() + block * d;
    for (std::int64_t i = block * block_rows; i < std::min(n, (block + 1) * block_rows); ++i) {
      const float* row = rows.data() + i * d;
      const double w = weight(i, row);
      weights[block] += w;
#pragma omp simd
      for (std::int64_t c = 0; c < d; ++c) sum[c] += w * static_cast<double>(row[c]);
    }
  }
  WeightedSum total{.rows = std::vector<double>(d, 0.0)};
  for (std::int64_t block = 0; block < blocks; ++block) {
    total.weights += weights[block];
    for (std::int64_t c = 0; c < d; ++c) total.rows[c] += partial[block * d + c];
  }
  return total;
}

/// ‖row − centre‖² in fp64.
inline double squared_distance(const float* row, const double* centre, std::int64_t d) {
  constexpr std::int64_t lanes = 8;
  double part[lanes] = {};
  std::int64_t c = 0;
  for (; c + lanes <= d; c += lanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const double difference = static_cast<double>(row[c + lane]) - centre[c + lane];
      part[lane] += difference * difference;
    }
  }
  for (; c < d; ++c) {
    const double difference = static_cast<double>(row[c]) - centre[c];
    part[0] += difference * difference;
  }
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

}  // namespace incipit::sae
