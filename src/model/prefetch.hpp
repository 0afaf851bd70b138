#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <utility>

#include "device/device.hpp"
#include "meters.hpp"

namespace incipit::model {

/// Pieces 0, 1, 2, … of something that is read, in two slots in turn: while one is used, a second thread
/// fills the other.
template <class Slot>
class Prefetch {
 public:
  using Fill = std::function<void(Slot&, std::int64_t piece)>;

  /// `fill` runs in the second thread, one piece at a time, and begins at once.
  Prefetch(device::Device& device, Slot first, Slot second, std::int64_t pieces, Fill fill)
      : device_(device),
        slots_{std::move(first), std::move(second)},
        pieces_(pieces),
        fill_(std::move(fill)) {
    if (pieces_ > 0) start(0);
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// Piece `piece`, in order from 0, valid until the next call. Errors of `fill` are thrown here.
  const Slot& next(std::int64_t piece) {
    {
      const Stopwatch watch(meters.stalled);
      reading_.get();
    }
    // What is read next goes where piece − 1 was: the device must be through with it.
    device_.synchronize();
    if (piece + 1 < pieces_) start(piece + 1);
    return slot(piece);
  }

 private:
  Slot& slot(std::int64_t piece) { return slots_[static_cast<std::size_t>(piece % 2)]; }

  void start(std::int64_t piece) {
    reading_ = std::async(std::launch::async, [this, piece] { fill_(slot(piece), piece); });
  }

  device::Device& device_;
  Slot slots_[2];
  std::int64_t pieces_;
  Fill fill_;
  std::future<void> reading_;  // last: its destructor waits for the thread that uses the others
};

}  // namespace incipit::model
