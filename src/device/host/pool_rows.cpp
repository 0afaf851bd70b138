#include "device/pool_rows.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

void add_row(float* sum, const float* row, std::int64_t d) {
#pragma omp simd
  for (std::int64_t j = 0; j < d; ++j) sum[j] += row[j];
}

/// NaN on either side stays.
void raise_to(float* most, const float* row, std::int64_t d) {
#pragma omp simd
  for (std::int64_t j = 0; j < d; ++j) most[j] = most[j] >= row[j] || most[j] != most[j] ? most[j] : row[j];
}

void divide(float* row, float by, std::int64_t d) {
#pragma omp simd
  for (std::int64_t j = 0; j < d; ++j) row[j] /= by;
}

}  // namespace

void HostDevice::pool_rows(const PoolRows& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t s = 0; s < op.sequences; ++s) {
    const float* in = op.in + op.starts[s] * op.d;
    const std::int64_t rows = op.starts[s + 1] - op.starts[s];
    float* out = op.out + s * op.d;
    std::copy_n(in, op.d, out);
    if (op.pool == Pool::first) continue;
    for (std::int64_t i = 1; i < rows; ++i)
      op.pool == Pool::mean ? add_row(out, in + i * op.d, op.d) : raise_to(out, in + i * op.d, op.d);
    if (op.pool == Pool::mean) divide(out, static_cast<float>(rows), op.d);
  }
}

}  // namespace incipit::device
