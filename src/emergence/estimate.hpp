#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "nan.hpp"

namespace incipit::emergence {

/// A number, how sure it is, and what it would be by chance (science §5). NaN where there is none.
struct Estimate {
  double value = nan;
  double low = nan, high = nan;                             ///< 95 % interval
  double null_mean = nan, null_low = nan, null_high = nan;  ///< mean and 95 % band under the null
  double p = nan;                                           ///< (1 + #null ≥ value) / (1 + P), one-sided
};

/// The q-th quantile of the finite values, linear between order statistics; NaN when there are none.
double quantile(std::span<const double> values, double q);

/// The mean of the values that are not NaN; NaN when there are none.
double mean(std::span<const double> values);

/// Percentile interval from `draws`, null from `null`; draws without a value (NaN) are left out. All but the
/// value is NaN when there are no draws, everything when the value is NaN.
Estimate estimate(double value, std::span<const double> draws, std::span<const double> null);

/// As estimate, for a share of groups: where all resamples are 0, or all 1, the interval is Clopper and
/// Pearson's for none, or all, of `groups`.
Estimate estimate_share(double value, std::span<const double> draws, std::span<const double> null,
                        int64_t groups);

}  // namespace incipit::emergence
