#include "store/heartbeat.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace incipit::store {
namespace {

/// The thread lives while there is something to touch.
class Heart {
 public:
  ~Heart() { still(); }

  void add(const std::filesystem::path& path) {
    const std::lock_guard turn(turn_);
    const bool first = insert(path);
    if (!first) return;
    // Signals go to the threads that have work to leave off.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { beat(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void remove(const std::filesystem::path& path) {
    const std::lock_guard turn(turn_);
    {
      const std::lock_guard lock(mutex_);
      files_.erase(path);
      if (!files_.empty()) return;
    }
    still();
  }

  void set_period(std::chrono::milliseconds period) {
    const std::lock_guard lock(mutex_);
    period_ = period;
  }

 private:
  /// Whether it is the first.
  bool insert(const std::filesystem::path& path) {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
    files_.insert(path);
    return !thread_.joinable();
  }

  void still() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void beat() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, period_, [this] { return stopped_; })) {
      const std::vector<std::filesystem::path> files(files_.begin(), files_.end());
      lock.unlock();
      // Without times the file system's own clock counts, not this machine's.
      for (const auto& file : files) ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
      lock.lock();
    }
  }

  std::mutex turn_;   ///< held while the thread is begun or ended
  std::mutex mutex_;  ///< over what follows
  std::condition_variable wake_;
  std::set<std::filesystem::path> files_;
  std::chrono::milliseconds period_ = heartbeat;
  bool stopped_ = false;
  std::thread thread_;
};

Heart& heart() {
  static Heart one;
  return one;
}

}  // namespace

void touch_from_now_on(const std::filesystem::path& path) {
  heart().add(path);
}

void touch_no_more(const std::filesystem::path& path) noexcept {
  heart().remove(path);
}

void set_heartbeat(std::chrono::milliseconds period) {
  heart().set_period(period);
}

}  // namespace incipit::store
