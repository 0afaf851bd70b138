#pragma once

#include <chrono>
#include <utility>

namespace incipit::command {

/// When work under way is to be kept again: once run.part_after has gone by since the last time, and so
/// seldom that keeping takes less than 2 % of the time.
class Pace {
 public:
  explicit Pace(double part_after) : part_after_(part_after) {}

  /// True: all that there is to keep is kept now.
  [[nodiscard]] bool due() {
    const double since = seconds(last_, Clock::now());
    if (since <= part_after_ || since <= 50 * cost_) return false;
    cost_ = 0;
    return true;
  }

  /// Keeps some of it.
  template <class F>
  void keep(F&& f) {
    const auto begin = Clock::now();
    std::forward<F>(f)();
    last_ = Clock::now();
    cost_ += seconds(begin, last_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  double part_after_;
  Clock::time_point last_ = Clock::now();
  double cost_ = 0;  ///< seconds that all of it took last time
};

}  // namespace incipit::command
