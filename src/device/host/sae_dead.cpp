#include "device/sae_dead.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

template <class T>
void run(const SaeIdle<T>& op) {
  for (std::int64_t j = 0; j < op.problems * op.h; ++j) op.idle[j] += op.n;
  for (std::int64_t row = 0; row < op.problems * op.n; ++row) {
    std::int64_t* idle = op.idle + row / op.n * op.h;
    for (std::int64_t t = row * op.keep; t < row * op.keep + op.k; ++t)
      if (op.value[t] > 0) idle[op.index[t]] = 0;
  }
}

}  // namespace

void HostDevice::sae_idle(const SaeIdle<float>& op) {
  run(op);
}
void HostDevice::sae_idle(const SaeIdle<double>& op) {
  run(op);
}

void HostDevice::sae_dead(const SaeDead& op) {
  for (std::int64_t p = 0; p < op.problems; ++p) {
    const std::int64_t* idle = op.idle + p * op.h;
    std::int32_t* dead = op.dead + p * op.h;
    std::int64_t count = 0;
    for (std::int64_t j = 0; j < op.h; ++j)
      if (idle[j] >= op.dead_after[p]) dead[count++] = static_cast<std::int32_t>(j);
    op.count[p] = count;
  }
}

}  // namespace incipit::device
