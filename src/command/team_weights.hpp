#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "checkpoint/shared_parts.hpp"
#include "checkpoint/weights.hpp"
#include "command/pass_cost.hpp"
#include "command/session.hpp"
#include "parallel/communicator.hpp"

namespace incipit::command {

/// The weights of one checkpoint for the pass of a team, whose ranks on one node read them together.
class TeamWeights {
 public:
  /// Opens the checkpoint and adds to `cost` what this rank holds of the shared parts, `largest` bytes each.
  /// Where memory has no room for them every rank reads for itself, which session.facts counts. Collective
  /// over the team; errors agreed.
  TeamWeights(Session& session, const parallel::Communicator& team, const Checkpoint& checkpoint,
              const std::function<std::uint64_t(const checkpoint::Weights&)>& largest, PassCost& cost);

  [[nodiscard]] const checkpoint::Weights& weights() const { return *weights_; }
  /// Null where there is nobody to share with.
  [[nodiscard]] checkpoint::SharedParts* shared() const { return shared_.get(); }

 private:
  std::optional<checkpoint::Weights> weights_;
  std::unique_ptr<checkpoint::SharedParts> shared_;
};

/// Takes its rank out of what is shared at the end of a scope, however that is left: before ranks meet, so
/// that nobody waits there for one who waits here.
class LeaveShared {
 public:
  explicit LeaveShared(checkpoint::SharedParts* shared) : shared_(shared) {}
  ~LeaveShared() {
    if (shared_ != nullptr) shared_->leave();
  }
  LeaveShared(const LeaveShared&) = delete;
  LeaveShared& operator=(const LeaveShared&) = delete;

 private:
  checkpoint::SharedParts* shared_;
};

}  // namespace incipit::command
