#include "console/progress.hpp"

#include <algorithm>
#include <utility>

#include "console/timing.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::console {

namespace {

constexpr double terminal_interval = 0.1, batch_interval = 30, batch_least_interval = 1;

std::string human_number(double value) {
  if (value < 10) return fmt::format("{:.2f}", value);
  if (value < 1000) return fmt::format("{:.0f}", value);
  if (value < 1e6) return fmt::format("{:.1f}k", value / 1e3);
  return fmt::format("{:.1f}M", value / 1e6);
}

}  // namespace

std::string human_time(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 99.5 * 60) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} d", seconds / 86400);
}

std::string human_bytes(double bytes) {
  if (bytes < 1e3) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.0f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes < 1e12) return fmt::format("{:.1f} GB", bytes / 1e9);
  return fmt::format("{:.1f} TB", bytes / 1e12);
}

Progress::Progress(Console& console, std::string name, std::int64_t total, std::string unit, Clock clock)
    : console_(console),
      name_(std::move(name)),
      unit_(std::move(unit)),
      total_(total),
      clock_(clock ? std::move(clock) : Clock(monotonic_seconds)),
      start_(clock_()),
      shown_(start_) {}

Progress::~Progress() {
  try {
    if (done_ > 0) finish();
  } catch (...) {
    // A line less on the screen is no reason to stop.
    return;
  }
}

void Progress::advance(std::int64_t n) {
  done_ += n;
  parallel::sign_of_life();
  show(clock_());
}

void Progress::note(std::string text) {
  note_ = std::move(text);
  show(clock_());
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  console_.status("");
  console_.line("{}", text(clock_()));
}

std::string Progress::text(double now) const {
  const double elapsed = std::max(now - start_, 1e-9);
  const double rate = static_cast<double>(done_) / elapsed;
  const std::string unit = unit_.empty() ? "" : " " + unit_;
  std::string line = fmt::format("{:<10} {}", name_, done_);
  if (total_ > 0) line += fmt::format("/{}", total_);
  line += unit;
  if (total_ > 0)
    line += fmt::format(", {:.0f} %", 100.0 * static_cast<double>(done_) / static_cast<double>(total_));
  if (elapsed > 0.05 && done_ > 0)
    line += fmt::format(", {}{}/s", human_number(rate), unit.substr(0, unit.find(' ', 1)));
  if (finished_) {
    line += ", " + human_time(elapsed);
  } else if (total_ > done_ && done_ > 0) {
    line += ", " + human_time(static_cast<double>(total_ - done_) / rate) + " left";
  }
  return note_.empty() || finished_ ? line : line + " (" + note_ + ")";
}

void Progress::show(double now) {
  if (finished_) return;
  const double since = now - shown_;
  if (console_.terminal()) {
    if (since < terminal_interval) return;
    console_.status(text(now));
  } else {
    const bool tenth = total_ > 0 && (done_ - shown_done_) * 10 >= total_;
    const bool due = since >= batch_interval || (tenth && since >= batch_least_interval);
    // The last line is finish()'s.
    if (!due || (total_ > 0 && done_ >= total_)) return;
    console_.line("{}", text(now));
  }
  shown_ = now;
  shown_done_ = done_;
}

}  // namespace incipit::console
