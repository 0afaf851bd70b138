#include "store/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "error.hpp"
#include "store/lock.hpp"
#include "store/process.hpp"

namespace incipit::store {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(Exit::io, what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  /// Network file systems report failed writes as late as this.
  int close() { return ::close(std::exchange(value_, -1)); }

 private:
  int value_;
};

void write_fully(int descriptor, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t done = ::write(descriptor, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("cannot write " + path.string());
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

void write_file(const fs::path& path, std::string_view text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) fail("cannot create " + path.string());
  write_fully(file.get(), text, path);
  if (file.close() != 0) fail("cannot write " + path.string());
}

std::string temporary_prefix(const fs::path& path) {
  return "." + path.filename().string() + ".tmp-";
}

/// The process that a temporary name speaks of is one of this host that no longer runs.
bool abandoned(const std::string& name, const std::string& prefix) {
  if (name.compare(0, prefix.size(), prefix) != 0) return false;
  const std::string ours = prefix + host_name() + "-";
  if (name.compare(0, ours.size(), ours) != 0) return false;
  const long pid = std::strtol(name.c_str() + ours.size(), nullptr, 10);
  return pid > 0 && !process_runs(pid);
}

/// What begins the name of any temporary file: `.NAME.tmp-`; empty for other files.
std::string temporary_prefix_of(const std::string& name) {
  const std::size_t mark = name.rfind(".tmp-");
  return name.front() != '.' || mark == std::string::npos ? "" : name.substr(0, mark + 5);
}

struct timespec written(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return status.st_mtim;
}

}  // namespace

fs::path temporary_beside(const fs::path& path) {
  static std::atomic<int> made{0};
  const std::string name =
      temporary_prefix(path) + host_name() + "-" + std::to_string(::getpid()) + "-" + std::to_string(made++);
  return folder_of(path) / name;
}

void remove_abandoned(const fs::path& path) noexcept {
  try {
    const std::string prefix = temporary_prefix(path);
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder_of(path), ignored)) {
      if (abandoned(entry.path().filename().string(), prefix)) fs::remove(entry.path(), ignored);
    }
  } catch (...) {
    // Litter is no reason to stop; the next run tries again.
    return;
  }
}

void remove_abandoned_below(const fs::path& folder) noexcept {
  constexpr double day = 24 * 3600;
  try {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
      const fs::path& path = entry.path();
      if (path.extension() == ".lock") {
        remove_if_stale(path);
      } else if (const auto prefix = temporary_prefix_of(path.filename().string()); !prefix.empty()) {
        if (abandoned(path.filename().string(), prefix) || age_of(path).value_or(0) > day)
          fs::remove(path, ignored);
      }
    }
  } catch (...) {
    // As above. Somebody else may tidy up at the same time.
    return;
  }
}

std::optional<double> age_of(const fs::path& path) {
  const struct timespec then = written(path);
  if (then.tv_sec == 0) return std::nullopt;
  const fs::path now = temporary_beside(path);
  write_file(now, "");
  const struct timespec at = written(now);
  ::unlink(now.c_str());
  return static_cast<double>(at.tv_sec - then.tv_sec) + 1e-9 * static_cast<double>(at.tv_nsec - then.tv_nsec);
}

void sync_to_disk(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("cannot open " + path.string() + " to flush it");
  // Some file systems refuse fsync on folders; their renames are durable or nothing is.
  if (::fsync(file.get()) != 0 && errno != EINVAL) fail("cannot flush " + path.string() + " to disk");
}

void publish(const fs::path& temporary, const fs::path& path) {
  sync_to_disk(temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    fail("cannot rename " + temporary.string() + " to " + path.string());
  }
  sync_to_disk(folder_of(path));
}

void write_text_atomic(const fs::path& path, std::string_view text) {
  const fs::path temporary = temporary_beside(path);
  try {
    write_file(temporary, text);
    publish(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot open " + path.string());
  std::ostringstream text;
  // Copying nothing at all sets failbit, so an empty file is told apart first.
  if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad() || text.fail()) fail("cannot read " + path.string());
  return text.str();
}

fs::path full_path(const fs::path& folder) {
  const fs::path full = fs::absolute(folder).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

void ensure_folder(const fs::path& path) {
  std::error_code error;
  // Somebody else may remove a folder above, which is empty, between our making it and the one below.
  for (int attempt = 0; attempt < 20; ++attempt) {
    error.clear();
    fs::create_directories(path, error);
    if (error != std::errc::no_such_file_or_directory) break;
  }
  if (error || !fs::is_directory(path)) {
    throw Error(Exit::io, "cannot make the folder " + path.string() + ": " +
                              (error ? error.message() : "a file of that name is in the way"));
  }
  // access() may say yes where a read-only mount or a quota says no, so a file is really made.
  const fs::path probe = temporary_beside(path / "writable");
  const Descriptor file(::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) fail("the folder " + path.string() + " cannot be written to");
  ::unlink(probe.c_str());
}

}  // namespace incipit::store
