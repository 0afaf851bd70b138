#pragma once

#include <cstdint>
#include <vector>

#include "align/rows.hpp"
#include "device/device.hpp"
#include "nan.hpp"

namespace incipit::align {

/// How far the residual stream has moved from one site to the next, whatever any dictionary reads of it: on
/// the judge part, of the same probes. NaN where it does not exist.
struct Drift {
  double cka = nan;         ///< linear CKA, unbiased HSIC
  double residual = nan;    ///< of the Procrustes map onto the site before (science §8), by its spread
  double cosine = nan;      ///< mean cosine of a probe's two vectors; NaN where the widths differ
  double norm_ratio = nan;  ///< mean norm by that at the site before
};

/// A site's fit and judge part.
struct Parts {
  Rows fit, judge;
};

/// `fit_group`, `judge_group`: of the rows; `seed` draws the folds of the map. Error data, if the sites
/// differ in n; numbers, if rows are not finite.
[[nodiscard]] Drift drift(device::Device& device, const Parts& before, const Parts& now,
                          const std::vector<std::int32_t>& fit_group,
                          const std::vector<std::int32_t>& judge_group, std::uint64_t seed);

}  // namespace incipit::align
