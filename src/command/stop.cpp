#include "command/stop.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "error.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::command {
namespace {

volatile sig_atomic_t signal_seen = 0;

void on_signal(int number) {
  if (signal_seen != 0) {
    parallel::announce_end(static_cast<int>(Exit::again));
    _exit(static_cast<int>(Exit::again));
  }
  signal_seen = number;
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
