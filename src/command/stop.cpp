#include "command/stop.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "error.hpp"

namespace incipit::command {
namespace {

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
  if (milliseconds > 1000) _exit(static_cast<int>(Exit::again));
}

}  // namespace

Stop::Stop(std::filesystem::path output, double max_time) : output_(std::move(output)), max_time_(max_time) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int number : {SIGUSR1, SIGUSR2, SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

std::string Stop::reason() const {
  if (signal_seen != 0) return fmt::format("signal {}", static_cast<int>(signal_seen));
  std::error_code error;
  if (std::filesystem::exists(output_ / "STOP", error)) return (output_ / "STOP").string();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  if (max_time_ > 0 && elapsed.count() > 0.97 * max_time_)
    return fmt::format("run.max_time = {:.0f}s", max_time_);
  return {};
}

}  // namespace incipit::command
