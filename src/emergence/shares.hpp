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

/// From `fired` [sets, C], on how many probes of each subject each set fires: the measures of set `set`,
/// which is that of `subject`. Subjects without probes take no part; contrast is NaN without another subject,
/// selectivity where nothing fires.
ShareDraws share_draws(const Draws<int32_t>& fired, size_t set, int32_t subject, const JudgeSet& judge,
                       const Resampling& resampling);

}  // namespace incipit::emergence
