#include "device/next_token_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "device/host/functions.hpp"
#include "device/host/host_device.hpp"
#include "device/host/lanes.hpp"

namespace incipit::device {
namespace {

/// Without a branch: a maximum may pass NaN over, and exp makes 0 of −infinity.
bool all_finite(const float* x, std::int64_t n) {
  std::uint32_t bad = 0;
#pragma omp simd reduction(| : bad)
  for (std::int64_t j = 0; j < n; ++j) bad |= static_cast<std::uint32_t>(host::nonfinite(x[j]));
  return bad == 0;
}

/// Σ exp(x[j] − most): pieces in fp32, their sums in fp64, all in a fixed order.
double sum_exp(const float* x, std::int64_t n, float most) {
  constexpr std::int64_t piece = 256;
  float powers[piece];
  double sum = 0;
  for (std::int64_t begin = 0; begin < n; begin += piece) {
    const std::int64_t size = std::min(piece, n - begin);
#pragma omp simd
    for (std::int64_t j = 0; j < size; ++j) powers[j] = host::exp_fast(x[begin + j] - most);
    sum += static_cast<double>(host::lane_sum(powers, size, [](auto v) { return v; }));
  }
  return sum;
}

void take(const NextTokenLoss& op, std::int64_t row) {
  const float* x = op.logits + row * op.columns;
  const std::int64_t column = op.target[row] - op.first;
  const bool begin = op.first == 0;
  if (begin) op.target_logit[row] = std::numeric_limits<float>::quiet_NaN();
  if (column >= 0 && column < op.columns) op.target_logit[row] = x[column];

  const float here = host::lane_max(x, op.columns);
  const float most = begin ? here : std::max(op.maximum[row], here);
  const double before =
      begin ? 0.0 : op.sum[row] * std::exp(static_cast<double>(op.maximum[row]) - static_cast<double>(most));
  op.maximum[row] = most;
  op.sum[row] = all_finite(x, op.columns) ? before + sum_exp(x, op.columns, most)
                                          : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void HostDevice::next_token_loss(const NextTokenLoss& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    if (op.target[i] >= 0) take(op, i);
  }
}

}  // namespace incipit::device
