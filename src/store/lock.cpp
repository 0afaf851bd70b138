#include "store/lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <utility>

#include "error.hpp"
#include "store/files.hpp"
#include "store/heartbeat.hpp"
#include "store/process.hpp"
#include "utc.hpp"

namespace incipit::store {

namespace fs = std::filesystem;

namespace {

fs::path lock_of(const fs::path& path) {
  return path.string() + ".lock";
}

std::string text_of(const std::string& what) {
  const std::int64_t pid = ::getpid();
  return "host " + host_name() + "\npid " + std::to_string(pid) + "\nstarted " + process_started(pid) +
         "\njob " + job_id() + "\nrestart " + job_restart() + "\nsince " + utc_now() + "\nwhat " + what +
         "\n";
}

LockHolder parse(const std::string& text) {
  LockHolder holder;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    const std::string key = line.substr(0, space);
    const std::string value = space == std::string::npos ? "" : line.substr(space + 1);
    if (key == "host") holder.host = value;
    if (key == "pid") holder.pid = std::strtoll(value.c_str(), nullptr, 10);
    if (key == "started") holder.started = value;
    if (key == "job") holder.job = value;
    if (key == "restart") holder.restart = value;
    if (key == "since") holder.since = value;
    if (key == "what") holder.what = value;
  }
  return holder;
}

bool is_stale(const LockHolder& holder, const fs::path& lock) {
  if (!holder.job.empty() && holder.job == job_id() && holder.restart != job_restart()) return true;
  if (holder.host != host_name())
    return age_of(lock).value_or(0) > std::chrono::duration<double>(lock_patience).count();
  if (holder.pid <= 0 || !process_runs(holder.pid)) return true;
  const std::string started = process_started(holder.pid);
  return !started.empty() && !holder.started.empty() && started != holder.started;
}

struct Found {
  std::string text;
  LockHolder holder;
  bool stale;
};

std::optional<Found> look(const fs::path& lock) {
  if (!fs::exists(lock)) return std::nullopt;
  Found found;
  try {
    found.text = read_text(lock);
  } catch (const Error&) {
    if (!fs::exists(lock)) return std::nullopt;  // given back in between
    throw;
  }
  found.holder = parse(found.text);
  found.stale = is_stale(found.holder, lock);
  return found;
}

/// A link appears with its content complete, which O_EXCL followed by a write would not.
bool take(const fs::path& lock, const std::string& text) {
  const fs::path mine = temporary_beside(lock);
  try {
    write_text_atomic(mine, text);
  } catch (const Error& error) {
    throw Error(Exit::io, "cannot lock " + lock.string() + ": " + error.what());
  }
  const int status = ::link(mine.c_str(), lock.c_str());
  const int reason = errno;
  ::unlink(mine.c_str());
  if (status == 0) return true;
  if (reason == EEXIST) return false;
  throw Error(Exit::io, "cannot make the lock " + lock.string() + ": " + std::strerror(reason));
}

/// Removes a stale lock unless somebody else replaced it meanwhile: only one process can move it away, and
/// what it moved it looks at again.
void remove_stale(const fs::path& lock, const std::string& stale_text) {
  const fs::path aside = temporary_beside(lock);
  if (::rename(lock.c_str(), aside.c_str()) != 0) return;
  if (read_text(aside) != stale_text && ::link(aside.c_str(), lock.c_str()) != 0) {
    ::unlink(aside.c_str());
    throw Error(Exit::io,
                "the lock " + lock.string() + " was taken over by two processes at once; start again");
  }
  ::unlink(aside.c_str());
}

}  // namespace

std::optional<FileLock> FileLock::try_lock(const fs::path& path, const std::string& what) {
  const fs::path lock = lock_of(path);
  const std::string text = text_of(what);
  // A stale lock is removed at most a few times: each time somebody else was faster.
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (take(lock, text)) {
      FileLock held;
      held.lock_ = lock;
      touch_from_now_on(lock);
      return held;
    }
    const std::optional<Found> found = look(lock);
    if (found && !found->stale) return std::nullopt;
    if (found) remove_stale(lock, found->text);
  }
  return std::nullopt;
}

FileLock::FileLock(const fs::path& path, const std::string& what) {
  std::optional<FileLock> held = try_lock(path, what);
  if (!held) {
    const LockHolder other = holder(path).value_or(LockHolder{});
    throw Error(Exit::again, path.string() + " is being made by process " + std::to_string(other.pid) +
                                 " on " + other.host + (other.job.empty() ? "" : " (job " + other.job + ")") +
                                 " since " + other.since + " (" + other.what + "): wait for it, or remove " +
                                 lock_of(path).string() + " if that process is gone");
  }
  lock_ = std::exchange(held->lock_, fs::path());
}

FileLock::~FileLock() {
  release();
}
FileLock::FileLock(FileLock&& other) noexcept : lock_(std::move(other.lock_)) {
  other.lock_.clear();
}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    lock_ = std::move(other.lock_);
    other.lock_.clear();
  }
  return *this;
}

void FileLock::release() noexcept {
  if (lock_.empty()) return;
  touch_no_more(lock_);
  if (::unlink(lock_.c_str()) != 0 && errno != ENOENT) {
    std::fprintf(stderr, "incipit: warning: cannot remove the lock %s: %s\n", lock_.c_str(),
                 std::strerror(errno));
  }
  lock_.clear();
}

std::optional<LockHolder> FileLock::holder(const fs::path& path) {
  const std::optional<Found> found = look(lock_of(path));
  if (!found || found->stale) return std::nullopt;
  return found->holder;
}

void remove_if_stale(const fs::path& lock) {
  if (const std::optional<Found> found = look(lock); found && found->stale) remove_stale(lock, found->text);
}

}  // namespace incipit::store
