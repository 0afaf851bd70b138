#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace incipit::command {

/// Whether this run was asked to end early (design §5): by USR1, USR2, INT or TERM, by a file STOP in the
/// output folder, or by reaching 97 % of run.max_time. What was asked once stays asked. A second signal ends
/// the process at once; nothing half-written lies under a final name then either, and the other ranks follow
/// it. One thread asks.
class Stop {
 public:
  /// Installs the signal handlers. `max_time` in seconds since the program was started, 0 for no limit.
  Stop(const std::filesystem::path& output, double max_time);

  /// What asked for it, empty while nothing did. Each rank sees for itself; agreeing is the caller's part.
  /// Cheap: the folder is looked at once a second at most.
  [[nodiscard]] const std::string& reason() const;
  [[nodiscard]] bool asked() const { return !reason().empty(); }

 private:
  [[nodiscard]] std::string look() const;

  std::filesystem::path file_;
  double max_time_;
  mutable std::string reason_;
  mutable std::chrono::steady_clock::time_point next_look_ = {};
};

}  // namespace incipit::command
