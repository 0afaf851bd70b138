#include "command/claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/watchdog.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

[[noreturn]] void other_run(const Unit& unit, const std::string& who) {
  throw Error(Exit::usage,
              fmt::format("{}: {} from another deck or other inputs: two different runs cannot share one "
                          "output; give this one its own run.output",
                          unit.path.string(), who));
}

/// In the log where this is the rank that writes it.
void tell_of_waiting(Session& session, const Unit& unit, const store::LockHolder& holder) {
  const auto text = fmt::format("{} is being made by process {} on {}{} since {}: waiting for it",
                                unit.path.string(), holder.pid, holder.host,
                                holder.job.empty() ? "" : fmt::format(" (job {})", holder.job), holder.since);
  if (session.console.speaks()) {
    session.console.line("{}", text);
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

/// Rank 0's part: a lock, or nothing when there is nothing left to do.
std::optional<store::FileLock> take(Session& session, const Unit& unit) {
  using std::chrono::milliseconds;
  store::ensure_folder(unit.path.parent_path());
  const bool was_stale = state_of(unit) == State::stale;
  bool told = false;
  for (milliseconds nap{125}; !session.stop->asked(); nap = std::min(2 * nap, milliseconds(4000))) {
    if (const auto holder = store::FileLock::holder(unit.path); holder && holder->what != unit.fingerprint)
      other_run(unit, fmt::format("is being made by process {} on {} since {},", holder->pid, holder->host,
                                  holder->since));
    if (auto lock = store::FileLock::try_lock(unit.path, unit.fingerprint)) {
      const auto state = state_of(unit);
      if (state == State::done) return std::nullopt;
      if (state == State::stale && !was_stale) other_run(unit, "was just made by another job");
      return lock;
    }
    if (const auto holder = store::FileLock::holder(unit.path); holder && !std::exchange(told, true))
      tell_of_waiting(session, unit, *holder);
    parallel::sign_of_life();  // another job may take hours for it
    std::this_thread::sleep_for(nap);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Claim> claim(Session& session, const parallel::Communicator& team, const Unit& unit) {
  std::optional<store::FileLock> lock;
  parallel::together(team, "taking a lock", [&] {
    if (team.root()) lock = take(session, unit);
  });
  if (!team.any(lock.has_value())) return std::nullopt;
  return Claim(std::move(lock));
}

}  // namespace incipit::command
