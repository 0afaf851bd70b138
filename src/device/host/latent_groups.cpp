#include "device/latent_groups.hpp"

#include <algorithm>
#include <vector>

#include "device/host/host_device.hpp"

namespace incipit::device {

/// A counting sort by latent of the codes in the order of their groups.
void HostDevice::latent_groups(const LatentGroups& op) {
  std::fill_n(op.start, op.h + 1, 0);
  for (std::int64_t place = 0; place < op.n * op.keep; ++place)
    if (op.value[place] > 0) ++op.start[op.index[place] + 1];
  for (std::int64_t j = 0; j < op.h; ++j) op.start[j + 1] += op.start[j];
  std::vector<std::int32_t> next(op.start, op.start + op.h);
  for (std::int64_t at = 0; at < op.n; ++at) {
    const std::int64_t i = op.member[at];
    for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place)
      if (op.value[place] > 0) op.list[next[op.index[place]]++] = op.group[i];
  }
}

}  // namespace incipit::device
