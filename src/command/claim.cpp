#include "command/claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
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

/// Once, in the log where this is the rank that writes it.
void tell_of_waiting(Session& session, const Unit& unit, bool& told) {
  const auto holder = store::FileLock::holder(unit.path);
  if (!holder || std::exchange(told, true)) return;
  const auto text = fmt::format(
      "{} is being made by process {} on {}{} since {}: waiting for it", unit.path.string(), holder->pid,
      holder->host, holder->job.empty() ? "" : fmt::format(" (job {})", holder->job), holder->since);
  if (session.console.speaks()) {
    session.console.line("{}", text);
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

/// What became of a try for a unit.
enum class Attempt { free, done, taken };

/// One try, by rank 0: fills in the lock where the unit is free. `was_stale`: before this job waited for it.
Attempt try_take(const Unit& unit, bool was_stale, std::optional<store::FileLock>& lock) {
  if (const auto holder = store::FileLock::holder(unit.path); holder && holder->what != unit.fingerprint)
    other_run(unit, fmt::format("is being made by process {} on {} since {},", holder->pid, holder->host,
                                holder->since));
  lock = store::FileLock::try_lock(unit.path, unit.fingerprint);
  if (!lock) return Attempt::taken;
  const auto state = state_of(unit);
  if (state == State::stale && !was_stale) other_run(unit, "was just made by another job");
  if (state != State::done) return Attempt::free;
  lock.reset();
  return Attempt::done;
}

/// Tries again and again, ever more seldom, until `attempt` says it is enough or a stop was asked for.
void keep_trying(const Session& session, const std::function<bool()>& attempt) {
  using std::chrono::milliseconds;
  for (milliseconds nap{125}; !session.stop->asked(); nap = std::min(2 * nap, milliseconds(4000))) {
    if (attempt()) return;
    parallel::sign_of_life();  // another job may take hours for it
    std::this_thread::sleep_for(nap);
  }
}

/// Rank 0's part: a lock, or nothing when there is nothing left to do.
std::optional<store::FileLock> take(Session& session, const Unit& unit) {
  store::ensure_folder(unit.path.parent_path());
  const bool was_stale = state_of(unit) == State::stale;
  std::optional<store::FileLock> lock;
  bool told = false;
  keep_trying(session, [&] {
    if (try_take(unit, was_stale, lock) != Attempt::taken) return true;
    tell_of_waiting(session, unit, told);
    return false;
  });
  return lock;
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

Claims::Claims(Session& session, const parallel::Communicator& team, std::vector<const Unit*> units,
               const std::vector<bool>& pending)
    : session_(session), team_(team), units_(std::move(units)), was_stale_(units_.size()) {
  parallel::together(team_, "reading the ledger", [&] {
    if (!team_.root()) return;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      if (!pending[u]) continue;
      left_.push_back(u);
      store::ensure_folder(units_[u]->path.parent_path());
      was_stale_[u] = state_of(*units_[u]) == State::stale;
    }
  });
}

std::vector<std::size_t> Claims::take_free(std::size_t most) {
  std::vector<std::size_t> mine, taken;
  for (const auto u : left_) {
    std::optional<store::FileLock> lock;
    const auto found = mine.size() < most ? try_take(*units_[u], was_stale_[u], lock) : Attempt::taken;
    if (found == Attempt::taken) taken.push_back(u);
    if (found != Attempt::free) continue;
    mine.push_back(u);
    held_.emplace(u, std::move(*lock));
  }
  left_ = std::move(taken);
  return mine;
}

std::vector<std::size_t> Claims::next(std::size_t most) {
  std::vector<std::size_t> mine;
  parallel::together(team_, "taking locks", [&] {
    if (!team_.root()) return;
    keep_trying(session_, [&] {
      mine = take_free(most);
      if (!mine.empty() || left_.empty()) return true;
      tell_of_waiting(session_, *units_[left_.front()], told_);
      return false;
    });
  });
  team_.broadcast(mine);
  return mine;
}

}  // namespace incipit::command
