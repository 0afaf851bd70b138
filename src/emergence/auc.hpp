#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emergence/resampling.hpp"

namespace incipit::emergence {

/// The area under the ROC curve of `score` [sets, n] for telling the probes of subject own[s] from the rest;
/// ties count half. NaN where one side is empty. Scores hold no NaN. Both are on the device of `resampling`.
Draws<double> auc_draws(const device::Buffer<float>& score, const device::Buffer<int32_t>& own,
                        const Resampling& resampling);
Draws<double> auc_draws(const device::Buffer<double>& score, const device::Buffer<int32_t>& own,
                        const Resampling& resampling);

/// The value alone, for any labels: positive[i] ≠ 0. NaN where one side is empty or a score is NaN.
double auc(std::span<const double> score, std::span<const uint8_t> positive);

}  // namespace incipit::emergence
