#pragma once

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
};

/// Says that this process makes the file PATH: PATH.lock, removed by the destructor. One rank takes it.
/// A lock is stale when its process is gone from this host, or, on another host, when it is older than 24 h;
/// a stale lock is taken over.
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

}  // namespace incipit::store
