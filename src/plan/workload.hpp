#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/teams.hpp"

/// What a deck asks a machine to do, in numbers that no machine hangs on.
namespace incipit::plan {

/// Something that is done at a stretch.
struct Task {
  double flops = 0;  ///< of matrix products
  double width = 1;  ///< of those matrices, for the rate (Ladder)
  double units = 0;  ///< of its phase's own kind; the phase's rate counts the same (Rates::units)
  double bytes_read = 0;
  double bytes_written = 0;
  double files = 0;  ///< made
};

/// How a stage's tasks find their ranks.
enum class Sharing {
  teams,       ///< passes over checkpoints: reading goes on beside computing
  whole,       ///< a task is one rank's, longest first
  divided,     ///< each task is divided over all ranks
  replicated,  ///< every rank does all of them
};

/// A phase of the log.
struct Stage {
  std::string phase;
  Sharing sharing;
  /// Rounds: ranks meet behind each.
  std::vector<std::vector<Task>> rounds;
  std::vector<Pass> passes = {};  ///< of the tasks of the only round of a stage for teams: the same order
  double memory = 0;              ///< bytes that a rank holds at most meanwhile

  [[nodiscard]] Task total() const;
};

using Workload = std::vector<Stage>;

}  // namespace incipit::plan
