#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "command/ledger.hpp"
#include "command/session.hpp"
#include "parallel/communicator.hpp"
#include "store/lock.hpp"

namespace incipit::command {

/// The right to make a unit's file, for as long as it lives.
class Claim {
 public:
  explicit Claim(std::optional<store::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::optional<store::FileLock> lock_;  ///< rank 0 of the team holds it
};

/// Claims a unit for a team. While another job makes the same file from the same things, waits for it, and
/// says so. Nothing when that job finished it, or when a stop was asked for. Collective. Error usage: another
/// job makes, or has just made, this file from something else.
std::optional<Claim> claim(Session& session, const parallel::Communicator& team, const Unit& unit);

/// Units of a stage that takes long for each: what another job makes is passed over as long as there is
/// anything else to do, and then waited for, or taken over when that job is gone. Who waits holds nothing.
class Claims {
 public:
  /// Of `units` those that are `pending`. Collective.
  Claims(Session& session, const parallel::Communicator& team, std::vector<const Unit*> units,
         const std::vector<bool>& pending);

  /// Claims units that nobody else makes, in their order and `most` at most, and says which. Waits while
  /// there is none and others are still being made; empty when none is left, or when a stop was asked for.
  /// Collective. Error usage as `claim`.
  [[nodiscard]] std::vector<std::size_t> next(std::size_t most);

  /// Gives a unit back, once its file is whole.
  void release(std::size_t unit) { held_.erase(unit); }

 private:
  [[nodiscard]] std::vector<std::size_t> take_free(std::size_t most);

  Session& session_;
  const parallel::Communicator& team_;
  std::vector<const Unit*> units_;
  // Of rank 0.
  std::vector<std::size_t> left_;  ///< neither claimed nor found done so far
  std::vector<bool> was_stale_;    ///< of every unit
  std::map<std::size_t, store::FileLock> held_;
  bool told_ = false;
};

}  // namespace incipit::command
