#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "command/session.hpp"
#include "command/visits.hpp"
#include "store/lock.hpp"

/// Activation files go (run.keep_activations = no) as soon as nothing that is still to be done reads them.
namespace incipit::command {

/// The checkpoints, as indices, whose activations a visit reads: its own site's, that of the site it is
/// compared with, and where its dictionary is at home. None at a gap.
[[nodiscard]] std::set<std::size_t> read_by(const Study& study, const TrailVisit& visit);

/// Activations that nothing still to be done reads: each stage that is pending reads some, and so do the
/// points of trails that no earlier job has kept. Collective. Errors as Session::pending.
[[nodiscard]] std::set<const Unit*> nobody_reads(const Session& session, bool again);

/// Removes the activation files of the study, and the folders that this leaves empty. What cannot be removed
/// stays, and costs only disk. One rank.
void drop_activations(const Session& session) noexcept;

/// Drops a checkpoint's activations once the ranks that read them have measured all that they read them for,
/// and kept it. Ranks tell each other by empty files in the parts folder of what is made,
/// `read.CHECKPOINT.START.RANK`; the last of a checkpoint's readers drops its file. Nothing is dropped once
/// another job holds the lock of what is made.
class Dropping {
 public:
  /// `dealt`: the stays of each rank. `start`: of this job, as in KeptTrails. Rank 0 drops what nobody reads.
  Dropping(const Session& session, const Unit& unit, std::int64_t start,
           const std::vector<std::vector<Stay>>& dealt);

  void visited(const TrailVisit& visit);
  /// All that was visited is kept.
  void kept();

 private:
  [[nodiscard]] std::filesystem::path mark(std::size_t checkpoint, int rank) const;
  [[nodiscard]] bool is_last(std::size_t checkpoint) const;
  void drop(std::size_t checkpoint) const;

  const Session& session_;
  const Unit& unit_;
  std::int64_t start_;
  std::vector<std::vector<int>> readers_;         ///< of each checkpoint: ranks, ascending
  std::map<std::size_t, std::int64_t> to_visit_;  ///< by checkpoint: this rank's visits that read it
  std::optional<store::LockHolder> holder_;       ///< of what is made: this job
};

}  // namespace incipit::command
