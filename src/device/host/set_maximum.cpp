#include "device/set_maximum.hpp"

#include <algorithm>
#include <limits>

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::set_maximum(const SetMaximum& op) {
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    const float* z = op.z + i * op.h;
    for (std::int64_t s = 0; s < op.sets; ++s) {
      float largest = -std::numeric_limits<float>::infinity();
      for (std::int64_t at = op.start[s]; at < op.start[s + 1]; ++at)
        largest = std::max(largest, z[op.latent[at]]);
      op.out[s * op.stride + i] = largest;
    }
  }
}

}  // namespace incipit::device
