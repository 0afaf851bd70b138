#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::console {

/// Of a clock that never goes back.
[[nodiscard]] double monotonic_seconds();

/// Where the time went. A phase started inside another stops the outer one's clock, so the times add up. Main
/// thread only. Its beginning and end are signs of life to the watchdog, which tells the phase of a job that
/// stands still.
class Timing {
 public:
  /// Ends its phase when it goes. Phases end in the reverse order of their start.
  class Phase {
   public:
    ~Phase();
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

   private:
    friend class Timing;
    Phase(Timing& timing, std::size_t index) : timing_(timing), index_(index) {}
    Timing& timing_;
    std::size_t index_;
  };

  [[nodiscard]] Phase phase(std::string_view name);
  /// Adds time measured elsewhere, say in a reading thread.
  void add(std::string_view name, double seconds);

  struct Entry {
    std::string name;
    double seconds;
  };
  /// This rank's finished phases in the order they first began.
  [[nodiscard]] std::vector<Entry> entries() const;

  struct Row {
    std::string name;
    double min, mean, max;  ///< seconds over ranks; a rank without the phase counts as 0
    double share;           ///< of the mean over all phases, 0 … 1
  };
  /// Collective. Phases in the order of the lowest rank that has them.
  [[nodiscard]] std::vector<Row> summary(const parallel::Communicator& comm) const;
  /// The summary as a table.
  static std::string table(const std::vector<Row>& rows);

 private:
  std::size_t index_of(std::string_view name);
  void charge(double now);

  std::vector<Entry> entries_;
  std::vector<std::size_t> running_;  // innermost last
  double since_ = 0;
};

}  // namespace incipit::console
