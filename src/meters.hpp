#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace incipit {

/// What this process has done since it began, counted where it is done and from any thread. Who wants to know
/// it of a stretch of time takes the difference (console/timing).
struct Meters {
  std::atomic<std::uint64_t> bytes_read{0};     ///< of checkpoints and of our own files
  std::atomic<std::uint64_t> bytes_written{0};  ///< of our own files
  std::atomic<std::uint64_t> stalled{0};        ///< nanoseconds that computing waited for weights
  std::atomic<std::uint64_t> waited{0};         ///< nanoseconds that this rank waited for others
};

inline Meters meters;

/// Adds the time it lives to one of the meters.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::uint64_t>& nanoseconds) : nanoseconds_(nanoseconds) {}
  ~Stopwatch() {
    nanoseconds_ += static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_)
            .count());
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::atomic<std::uint64_t>& nanoseconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace incipit
