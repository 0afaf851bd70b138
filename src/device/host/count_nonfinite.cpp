#include "device/count_nonfinite.hpp"

#include <bit>

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::count_nonfinite(const CountNonfinite& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    const float* x = op.x + i * op.d;
    std::int32_t count = 0;
    // An exponent of all ones; read from the bits, which no compiler flag can optimise away.
#pragma omp simd reduction(+ : count)
    for (std::int64_t j = 0; j < op.d; ++j) {
      count += (std::bit_cast<std::uint32_t>(x[j]) & 0x7f800000U) == 0x7f800000U ? 1 : 0;
    }
    op.counts[i] = count;
  }
}

}  // namespace incipit::device
