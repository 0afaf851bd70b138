#include "device/sae_dead.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

template <class T>
void run(const SaeIdle<T>& op) {
  for (std::int64_t j = 0; j < op.h; ++j) op.idle[j] += op.n;
  for (std::int64_t row = 0; row < op.n; ++row)
    for (std::int64_t t = 0; t < op.k; ++t)
      if (op.value[row * op.keep + t] > 0) op.idle[op.index[row * op.keep + t]] = 0;
}

}  // namespace

void HostDevice::sae_idle(const SaeIdle<float>& op) {
  run(op);
}
void HostDevice::sae_idle(const SaeIdle<double>& op) {
  run(op);
}

void HostDevice::sae_dead(const SaeDead& op) {
  std::int64_t count = 0;
  for (std::int64_t j = 0; j < op.h; ++j)
    if (op.idle[j] >= op.dead_after) op.dead[count++] = static_cast<std::int32_t>(j);
  *op.count = count;
}

}  // namespace incipit::device
