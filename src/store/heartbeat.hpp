#pragma once

#include <chrono>
#include <filesystem>

namespace incipit::store {

/// How often files that say "this is being done" are touched, so that other machines see that the one who
/// says so still lives.
inline constexpr std::chrono::milliseconds heartbeat{20000};

/// Touches the file every `heartbeat`, by a thread of its own (it makes no MPI call), until it is let go. Any
/// thread. A file that is gone is left alone.
void touch_from_now_on(const std::filesystem::path& path);
void touch_no_more(const std::filesystem::path& path) noexcept;

/// Tests shorten it; counts from the next file on that is touched when none was.
void set_heartbeat(std::chrono::milliseconds period);

}  // namespace incipit::store
