#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nan.hpp"

namespace incipit::emergence {

/// What counts as the concept going away and coming back.
enum class FallRule {
  between_shoulders,  ///< D = max_{a<b<c} min(y_a, y_c) − y_b
  return_alone,  ///< max_{b<c} y_c − y_b: where the first point is the anchor, whose 100 % is no shoulder
};

/// The deepest fall of a curve. Places are indices into it.
struct Dip {
  std::int64_t from = -1;  ///< a: the highest point before (the first, for a return alone)
  std::int64_t at = -1;    ///< b: the bottom; −1: the curve has none
  std::int64_t to = -1;    ///< c: the highest point behind
  double depth = nan;      ///< positive in noise too, hence the test
  double p = nan;
};

/// Without a test: p stays NaN. A curve of fewer than three points (two, for a return) has none.
[[nodiscard]] Dip deepest_dip(std::span<const double> y, FallRule rule);

/// The deepest fall with its p (science §9): the depth that the best curve without falls shows as well once
/// the bootstrap's deviations are added to it. `draws`: [B, y.size()]; draws with a NaN are left out.
/// p = (1 + #{D* ≥ D}) / (1 + B).
[[nodiscard]] Dip test_dip(std::span<const double> y, std::span<const double> draws, FallRule rule);

/// All falls with p ≤ `level`, the deepest first found, then those before and behind it; in their order along
/// the curve.
[[nodiscard]] std::vector<Dip> find_dips(std::span<const double> y, std::span<const double> draws,
                                         FallRule rule, double level);

}  // namespace incipit::emergence
