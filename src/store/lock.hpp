#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace incipit::store {

struct LockHolder {
  std::string host;
  std::int64_t pid = 0;
  std::string job;    ///< the batch scheduler's job id, or empty
  std::string since;  ///< UTC
  std::string what;   ///< what the holder makes, as given to FileLock
  std::string
      started;  ///< the process's start time in clock ticks: tells it from a later one with the same pid
  std::string restart;  ///< how often the scheduler had begun the job anew, or empty
};

/// Says that this process makes the file PATH: PATH.lock, removed by the destructor and touched every
/// `heartbeat` until then. One rank takes it. A stale lock is taken over. It is stale
/// - when its process is gone from this host;
/// - of another host, when it was not touched for `lock_patience`, by the file system's clock;
/// - when the batch scheduler has since begun the same job anew, as it says of ours.
inline constexpr std::chrono::seconds lock_patience{300};

class FileLock {
 public:
  /// Error again: another process holds it (who, since when, what to do). Error io: the lock cannot be
  /// written.
  FileLock(const std::filesystem::path& path, const std::string& what);
  /// Nothing when another process holds the lock.
  static std::optional<FileLock> try_lock(const std::filesystem::path& path, const std::string& what);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;

  /// Who makes `path` now; nothing when nobody does (a stale lock counts as nobody).
  static std::optional<LockHolder> holder(const std::filesystem::path& path);

 private:
  FileLock() = default;
  void release() noexcept;
  std::filesystem::path lock_;
};

/// Removes a lock file PATH.lock that is stale. Error io.
void remove_if_stale(const std::filesystem::path& lock);

}  // namespace incipit::store
