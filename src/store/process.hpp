#pragma once

#include <cstdint>
#include <string>

namespace incipit::store {

[[nodiscard]] std::string host_name();

/// Whether a process of this host has that id.
[[nodiscard]] bool process_runs(std::int64_t pid);

/// When the process started, in clock ticks since boot; "" when it does not run or /proc does not say.
[[nodiscard]] std::string process_started(std::int64_t pid);

/// The batch scheduler's id of this job, or "".
[[nodiscard]] std::string job_id();

/// How often the scheduler has begun this job anew under the same id, as far as it says; or "".
[[nodiscard]] std::string job_restart();

}  // namespace incipit::store
