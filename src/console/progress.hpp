#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "console/console.hpp"

namespace incipit::console {

/// "90 s", "12 min", "3.4 h", "2.1 d": a time that people read.
[[nodiscard]] std::string human_time(double seconds);
/// "1.2 GB", "640 kB"
[[nodiscard]] std::string human_bytes(double bytes);

/// How far a phase is. On a terminal one rewriting line with rate and time left; in a batch log a plain line
/// when 30 s have passed or another tenth is done (and at least a second since the last), and one at the end.
class Progress {
 public:
  using Clock = std::function<double()>;  ///< seconds; for tests

  /// `unit` is a plural noun, "probes", or begins with one, "steps of rank 0"; the noun alone stands in the
  /// rate. total ≥ 0; 0 when not known.
  Progress(Console& console, std::string name, std::int64_t total, std::string unit = "", Clock clock = {});
  /// The last line, unless finish() printed it or nothing was done.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::int64_t n = 1);
  /// What is being done just now; shown behind the numbers.
  void note(std::string text);
  void finish();

 private:
  [[nodiscard]] std::string text(double now) const;
  void show(double now);

  Console& console_;
  std::string name_, unit_, note_;
  std::int64_t total_, done_ = 0, shown_done_ = 0;
  Clock clock_;
  double start_, shown_;
  bool finished_ = false;
};

}  // namespace incipit::console
