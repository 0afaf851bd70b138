#pragma once

#include <cstdint>
#include <vector>

#include "align/rows.hpp"
#include "device/device.hpp"

namespace incipit::align {

/// The principal axes of some rows, by falling variance.
class PrincipalAxes {
 public:
  /// Errors: numbers, if the rows are not finite.
  PrincipalAxes(device::Device& device, Rows fit);

  /// Each row replaced by its projection on the first `count` axes through the mean: what of it fits into
  /// `count` dimensions. [rows.n, d], in blocks of rows that depend on nothing but rows.n. Error defect for
  /// rows of another width, or a count below 1 or above d.
  [[nodiscard]] std::vector<float> cut(Rows rows, int64_t count) const;

 private:
  int64_t d_;
  std::vector<double> mean_;
  std::vector<double> axes_;  ///< [d, d], rows are axes
};

}  // namespace incipit::align
