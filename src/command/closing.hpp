#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "console/timing.hpp"

/// What is said at the end of a run about its time: the bound, and what would make it shorter.
namespace incipit::command {

/// What is known of a run when it ends, beside its times.
struct RunFacts {
  int ranks = 1;
  int ranks_per_node = 1;   ///< of the node with most of them
  std::int64_t passes = 0;  ///< over checkpoints, by this job
  int useful_ranks = 1;     ///< with fewer, the passes would have taken longer; with more, hardly less
  std::int64_t waves = 0;  ///< that these passes took on all ranks; more than passes: weights were read again
  std::int64_t unshared =
      0;  ///< passes whose ranks of a node read each for itself, for want of shared memory
  std::uint64_t peak_memory = 0,
                memory = 0;  ///< bytes of the rank that took most, and what a rank might take
};

/// "computing: the forward pass takes 71 % of the time"; one line.
[[nodiscard]] std::string bound_of(const console::Timing::Summary& summary);

/// One or two concrete suggestions, best first; none where the run was too short to say anything.
[[nodiscard]] std::vector<std::string> suggestions(const console::Timing::Summary& summary,
                                                   const RunFacts& facts);

}  // namespace incipit::command
