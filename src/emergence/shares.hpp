#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/resampling.hpp"

/// How often sets of latents fire on the probes of each subject: what `probe_activation`, `contrast` and
/// `selectivity` are made of. Also used for classifiers, where "fires" is "is predicted".
namespace incipit::emergence {

/// The three measures as drawn.
struct ShareDraws {
  double probe_activation, contrast, selectivity;
  bool silent;  ///< fires on no probe at all
  struct Many {
    std::vector<double> probe_activation, contrast, selectivity;
  } bootstrap, permutation;
};

/// Weighted number of probes of each subject in each resample: [C, B].
std::vector<int32_t> resampled_sizes(const JudgeSet& judge, const Resampling& resampling);

/// `firing`: the probes on which the set of `subject` fires. `sizes`: resampled_sizes. Subjects without
/// probes take no part; contrast is NaN without another subject, selectivity where nothing fires.
ShareDraws share_draws(std::span<const int32_t> firing, int32_t subject, const JudgeSet& judge,
                       const Resampling& resampling, std::span<const int32_t> sizes);

}  // namespace incipit::emergence
