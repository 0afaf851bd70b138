#include "device/latent_histogram.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::latent_histogram(const LatentHistogram& op) {
  std::fill_n(op.count, op.h * op.subjects, 0);
  std::int32_t silent = 0;
  for (std::int64_t i = 0; i < op.n; ++i) {
    bool fires = false;
    for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place) {
      if (!(op.value[place] > 0)) continue;
      ++op.count[op.index[place] * op.subjects + op.subject[i]];
      fires = true;
    }
    silent += fires ? 0 : 1;
  }
  *op.silent = silent;
}

}  // namespace incipit::device
