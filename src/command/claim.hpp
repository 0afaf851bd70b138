#pragma once

#include <optional>

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

}  // namespace incipit::command
