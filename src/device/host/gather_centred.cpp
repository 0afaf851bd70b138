#include "device/gather_centred.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

template <class T>
void run(const GatherCentred<T>& op, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < op.problems * op.n; ++i) {
    const T* centre = op.centre + i / op.n * op.d;
    const T* row = op.rows + (op.index != nullptr ? op.index[i] : i) * op.d;
    T* out = op.out + i * op.d;
#pragma omp simd
    for (std::int64_t c = 0; c < op.d; ++c) out[c] = row[c] - centre[c];
  }
}

}  // namespace

void HostDevice::gather_centred(const GatherCentred<float>& op) {
  run(op, threads_);
}
void HostDevice::gather_centred(const GatherCentred<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
