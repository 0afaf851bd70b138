#pragma once

#include <cstdint>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/options.hpp"

namespace incipit::emergence {

/// The resamples and permutations of a run: drawn once, used at every site, so that differences between
/// sites have intervals too (science §5). Laid out with the resample innermost.
struct Resampling {
  int64_t bootstrap = 0;        ///< B
  int64_t permutations = 0;     ///< P
  std::vector<int32_t> weight;  ///< [G, B] how often the group was drawn; within each subject |G_c| draws
  std::vector<int32_t> label;   ///< [n, P] the permuted subject of the probe
  std::vector<int32_t> group_label;  ///< [G, P] the permuted subject of the group
  double exchangeable = 0;  ///< share of probes whose group can be exchanged for one of another subject

  [[nodiscard]] const int32_t* weights(int64_t group) const { return weight.data() + group * bootstrap; }
  [[nodiscard]] const int32_t* labels(int64_t probe) const { return label.data() + probe * permutations; }
  [[nodiscard]] const int32_t* group_labels(int64_t group) const {
    return group_label.data() + group * permutations;
  }
};

/// A permutation gives every group the subjects of another (or the same) one of equal size in its stratum,
/// probe by probe, so that the number of probes and of groups of each subject never changes. Resample b and
/// permutation p depend on (seed, b) and (seed, p) alone.
/// Errors: usage, if a count is negative.
Resampling make_resampling(const JudgeSet& judge, const TrackOptions& options, uint64_t seed);

}  // namespace incipit::emergence
