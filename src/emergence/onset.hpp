#pragma once

#include <cstdint>
#include <span>

#include "nan.hpp"

namespace incipit::emergence {

/// Where a curve rises for good (science §9).
struct Onset {
  double level = nan;       ///< final level: mean of the last three points
  std::int64_t point = -1;  ///< the first point of at least half of it that the next two keep; −1: none
  double place = nan;  ///< where the line from the point before to it crosses the half; its own place, if it
                       ///< is the first
};

/// `x`: places of the points on the axis, ascending; `y`: no NaN. No onset unless the level is above 0.
[[nodiscard]] Onset find_onset(std::span<const double> x, std::span<const double> y);

/// y = height / (1 + exp(−(x − middle) / width)), by least squares.
struct Logistic {
  double height = nan, middle = nan, width = nan;
};
/// Where at least `rise_points` points lie between 10 and 90 % of the level, so that the rise has a shape;
/// NaN elsewhere.
inline constexpr std::int64_t rise_points = 3;
[[nodiscard]] Logistic fit_logistic(std::span<const double> x, std::span<const double> y, const Onset& onset);

}  // namespace incipit::emergence
