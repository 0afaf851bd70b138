#include "device/count_nonfinite.hpp"

#include "device/host/functions.hpp"
#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::count_nonfinite(const CountNonfinite& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    const float* x = op.x + i * op.d;
    std::int32_t count = 0;
#pragma omp simd reduction(+ : count)
    for (std::int64_t j = 0; j < op.d; ++j) {
      count += host::nonfinite(x[j]) ? 1 : 0;
    }
    op.counts[i] = count;
  }
}

}  // namespace incipit::device
