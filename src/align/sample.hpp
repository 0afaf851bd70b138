#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/rows.hpp"
#include "align/similarity.hpp"

/// The parts of the similarities that one side of a comparison needs, so that a reference computes them once.
namespace incipit::align {

struct Moments {
  Moments(device::Device& device, Rows rows);

  Rows rows;
  std::vector<double> mean;     ///< [d]
  std::vector<double> squares;  ///< [n] ‖x_i − mean‖²
  double self = 0;              ///< ‖XᵀX‖²
};
Cka cka(device::Device& device, const Moments& x, const Moments& y);

/// The rows whose pairs are compared, and the pairs' cosines.
struct PairSample {
  PairSample(std::span<const int32_t> group, uint64_t seed);

  /// [m, m], only above the diagonal; NaN in pairs of a row that equals the mean.
  [[nodiscard]] std::vector<double> cosines(Rows rows) const;
  [[nodiscard]] double correlation(std::span<const double> x, std::span<const double> y) const;

  /// Stream number apart from those of the shuffles.
  static constexpr uint64_t sample_stream = 1ULL << 32;

  std::vector<int64_t> index;   ///< [m] ascending
  std::vector<int32_t> groups;  ///< [m]
};

}  // namespace incipit::align
