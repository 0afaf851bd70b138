#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "sae/encode.hpp"

/// How often sets of latents fire on the probes of each subject: what `probe_activation`, `contrast` and
/// `selectivity` are made of. Also used for classifiers, where "fires" is "is predicted".
namespace incipit::emergence {

/// On how many probes of each subject each set fires, and how strongly on those of its own.
struct Firing {
  Draws<int32_t> fired;    ///< [sets, C]
  Draws<double> strength;  ///< [sets] Σ a over the probes of the set's subject
};

/// `sum`: [sets, n], above 0 where the set fires; `own`: [sets] the subject of each.
[[nodiscard]] Firing count_firing(const device::Buffer<double>& sum, const device::Buffer<int32_t>& own,
                                  const Resampling& resampling, const device::Resamples& of);
/// Of latents: a set fires where one of its latents does.
[[nodiscard]] Firing firing_of(const sae::DeviceCodes& codes, const MatchedSets& sets,
                               const Resampling& resampling, const device::Resamples& of);

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
