#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::console {

/// Of a clock that never goes back.
[[nodiscard]] double monotonic_seconds();

/// What a phase did with its time.
struct Work {
  double seconds = 0;
  double flops = 0;          ///< that were counted for it
  double bytes_read = 0;     ///< of checkpoints and our own files
  double bytes_written = 0;  ///< of our own files
  double stalled = 0;        ///< seconds of its time that computing waited for weights

  Work& operator+=(const Work& other);
};

/// Where the time went. A phase started inside another stops the outer one's clock, so the times add up; what
/// the meters say that this rank waited for others meanwhile is no phase's, but `waiting`. Main thread only.
/// A phase's beginning and end are signs of life to the watchdog, which tells the phase of a job that stands
/// still.
class Timing {
 public:
  Timing();

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
  /// Adds work measured or counted elsewhere, such as a phase's floating-point operations.
  void add(std::string_view name, const Work& work);

  struct Entry {
    std::string name;
    Work work;
  };
  /// This rank's finished phases in the order they first began.
  [[nodiscard]] std::vector<Entry> entries() const { return entries_; }

  /// Over ranks; a rank without the phase counts as 0.
  struct Row {
    std::string name;
    double min, mean, max;  ///< seconds
    double share;           ///< of the mean time of all phases, waiting and the rest, 0 … 1
    Work total;             ///< of all ranks together
  };
  struct Summary {
    std::vector<Row> rows;  ///< phases in the order of the lowest rank that has them
    Row waiting;            ///< for other ranks, within phases or between them
    Row elsewhere;          ///< neither in a phase nor waiting
    double seconds = 0;     ///< since this was made, of the slowest rank
  };
  /// Collective.
  [[nodiscard]] Summary summary(const parallel::Communicator& comm) const;
  /// The summary as a table.
  static std::string table(const Summary& summary);

 private:
  std::size_t index_of(std::string_view name);
  void charge();

  std::vector<Entry> entries_;
  std::vector<std::size_t> running_;  ///< innermost last
  double start_;
  Work at_last_;  ///< clock and meters when the time was last charged
  double waited_last_, waited_start_;
};

}  // namespace incipit::console
