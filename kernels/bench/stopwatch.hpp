#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>

#include "cuda_device.hpp"

namespace incipit::device::bench {

/// How long to measure one thing.
struct Patience {
  int fewest = 20;       ///< samples
  int most = 200;        ///< samples
  double seconds = 0.3;  ///< no further samples after these
  double sample = 1e-3;  ///< seconds of a sample: short calls are repeated within it
};

struct Time {
  double median = 0;  ///< seconds of one call
  double low = 0;     ///< quartiles of the samples
  double high = 0;
  int samples = 0;
};

/// Time between two events in a device's stream: that of the device, not of the program that queues work.
class Stopwatch {
 public:
  explicit Stopwatch(CudaDevice& device);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  /// Seconds of what `work` queues.
  double seconds(const std::function<void()>& work);
  /// Seconds of call(turn), turn counting up over all calls so that inputs can take turns. The first
  /// `warm_up` calls are not measured.
  Time measure(const Patience& patience, int warm_up, const std::function<void(std::size_t turn)>& call);

 private:
  CudaDevice& device_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace incipit::device::bench
