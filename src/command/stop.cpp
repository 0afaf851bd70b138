#include "command/stop.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "error.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::command {
namespace {

using std::chrono::steady_clock;

const steady_clock::time_point program_start = steady_clock::now();

volatile sig_atomic_t signal_seen = 0;
timespec seen_at{};

// One request may come twice at once, from the scheduler and through the launcher it also reached: within a
// second it is one.
void on_signal(int number) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (signal_seen == 0) {
    seen_at = now;
    signal_seen = number;
    return;
  }
  const auto milliseconds =
      1000 * (now.tv_sec - seen_at.tv_sec) + (now.tv_nsec - seen_at.tv_nsec) / 1'000'000;
  if (milliseconds <= 1000) return;
  parallel::announce_end(static_cast<int>(Exit::again));
  _exit(static_cast<int>(Exit::again));
}

}  // namespace

Stop::Stop(const std::filesystem::path& output, double max_time)
    : file_(output / "STOP"), max_time_(max_time) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int number : {SIGUSR1, SIGUSR2, SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

const std::string& Stop::reason() const {
  if (reason_.empty()) reason_ = look();
  return reason_;
}

std::string Stop::look() const {
  if (signal_seen != 0) return fmt::format("signal {}", static_cast<int>(signal_seen));
  const auto now = steady_clock::now();
  if (max_time_ > 0 && std::chrono::duration<double>(now - program_start).count() > 0.97 * max_time_)
    return fmt::format("run.max_time = {:.0f}s", max_time_);
  if (now < next_look_) return {};
  next_look_ = now + std::chrono::seconds(1);
  std::error_code error;
  // Left where it is: other jobs that fill this output are to see it too.
  if (std::filesystem::exists(file_, error))
    return fmt::format("{}, to be removed before the next start", file_.string());
  return {};
}

}  // namespace incipit::command
