#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace incipit::command {

/// Whether this run was asked to end early (design §5): by USR1, USR2, INT or TERM, by a file STOP in the
/// output folder, or by reaching 97 % of run.max_time. A second signal ends the process at once; nothing
/// half-written lies under a final name then either; the
/// other ranks follow it.
class Stop {
 public:
  /// Installs the signal handlers. `max_time` in seconds since now, 0 for no limit.
  Stop(std::filesystem::path output, double max_time);

  /// What asked for it, empty while nothing did. Each rank sees for itself; agreeing is the caller's part.
  [[nodiscard]] std::string reason() const;
  [[nodiscard]] bool asked() const { return !reason().empty(); }

 private:
  std::filesystem::path output_;
  double max_time_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace incipit::command
