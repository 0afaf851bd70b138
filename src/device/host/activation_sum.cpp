#include "device/activation_sum.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::activation_sum(const ActivationSum& op) {
  std::fill_n(op.sum, op.sets * op.n, 0.0);
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t i = 0; i < op.n; ++i) {
    for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place) {
      if (!(op.value[place] > 0)) continue;
      const std::int32_t j = op.index[place];
      for (std::int64_t at = op.start[j]; at < op.start[j + 1]; ++at)
        op.sum[op.set[at] * op.n + i] += static_cast<double>(op.value[place]);
    }
  }
}

}  // namespace incipit::device
