#pragma once

#include <string>
#include <vector>

#include "plan/rates.hpp"
#include "plan/workload.hpp"

namespace incipit::plan {

/// The machine that a plan is made for.
struct Machine {
  Rates rates;
  int ranks = 1;
  int ranks_per_node = 1;
  double memory = 0;  ///< bytes a rank may use; 0: as much as it wants

  [[nodiscard]] std::vector<int> node_of() const;
  [[nodiscard]] int nodes() const { return (ranks + ranks_per_node - 1) / ranks_per_node; }
};

/// What becomes of one phase.
struct Phase {
  std::string name;
  double mean = 0;                                 ///< seconds that a rank works, over ranks
  double slowest = 0;                              ///< seconds until the last rank is done
  double computing = 0, reading = 0, writing = 0;  ///< seconds of the mean that each would take by itself
  double bytes_read = 0, bytes_written = 0;
  double memory = 0;

  /// What comes later under the same name.
  Phase& operator+=(const Phase& other);
  /// Of the ranks' time until the last is done, how much they work: 1 where all take as long.
  [[nodiscard]] double balance() const { return slowest > 0 ? mean / slowest : 1; }
};

struct Forecast {
  std::vector<Phase> phases;
  Teams teams;         ///< of the first stage for teams
  double seconds = 0;  ///< of the whole job
  double waiting = 0;  ///< of them, of a rank on average
  double bytes_read = 0, bytes_written = 0;
  double memory = 0;  ///< bytes, of the rank that holds most

  /// What more of would make the job shorter: "computing", "reading", "writing" or "the number of
  /// checkpoints".
  [[nodiscard]] std::string bound() const;
};

/// What a task takes one rank of the machine, read and computed one after the other, with the file system to
/// itself.
[[nodiscard]] double seconds_alone(const Task& task, const std::string& phase, const Rates& rates);

/// Goes through the workload as a run does. Passes over checkpoints share the file system: all teams that
/// read get the same part of it, but no more than they can compute with.
[[nodiscard]] Forecast forecast(const Workload& workload, const Machine& machine);

}  // namespace incipit::plan
