#include "device/gather_rows.hpp"

#include <cstring>

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::gather_rows(const GatherRows& op) {
  const auto bytes = static_cast<std::size_t>(op.d) * sizeof(float);
  if (bytes == 0) return;
  for (std::int64_t i = 0; i < op.rows; ++i) {
    std::memcpy(op.out + i * op.d, op.in + op.index[i] * op.d, bytes);
  }
}

}  // namespace incipit::device
