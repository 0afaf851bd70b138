#include "command/claim.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

[[noreturn]] void other_run(const Unit& unit, const std::string& who) {
  throw Error(Exit::usage,
              fmt::format("{}: {} from another deck or other inputs: two different runs cannot share one "
                          "output; give this one its own run.output",
                          unit.path.string(), who));
}

/// Rank 0's part: a lock, or nothing when there is nothing left to do.
std::optional<store::FileLock> take(const Unit& unit, const Stop& stop) {
  store::ensure_folder(unit.path.parent_path());
  const bool was_stale = state_of(unit) == State::stale;
  while (!stop.asked()) {
    if (const auto holder = store::FileLock::holder(unit.path); holder && holder->what != unit.fingerprint)
      other_run(unit, fmt::format("is being made by process {} on {} since {},", holder->pid, holder->host,
                                  holder->since));
    if (auto lock = store::FileLock::try_lock(unit.path, unit.fingerprint)) {
      const auto state = state_of(unit);
      if (state == State::done) return std::nullopt;
      if (state == State::stale && !was_stale) other_run(unit, "was just made by another job");
      return lock;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Claim> claim(const parallel::Communicator& team, const Unit& unit, const Stop& stop) {
  std::optional<store::FileLock> lock;
  parallel::together(team, "taking a lock", [&] {
    if (team.root()) lock = take(unit, stop);
  });
  if (!team.any(lock.has_value())) return std::nullopt;
  return Claim(std::move(lock));
}

}  // namespace incipit::command
