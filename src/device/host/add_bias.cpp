#include "device/add_bias.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::add_bias(const AddBias& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    float* x = op.x + i * op.d;
#pragma omp simd
    for (std::int64_t j = 0; j < op.d; ++j) x[j] += op.bias[j];
  }
}

}  // namespace incipit::device
