#include "device/sae_loss.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

double sum(const double* values, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += values[i];
  return total;
}

}  // namespace

void HostDevice::sae_loss(const SaeLoss& op) {
  const auto size = static_cast<double>(op.n * op.d);
  const double square = sum(op.square, op.n);
  op.terms[0] = square / size;
  op.terms[1] = sum(op.square_multi, op.n) / size;
  op.terms[2] = op.square_auxiliary != nullptr
                    ? sum(op.square_auxiliary, op.n) / std::max(square, SaeLoss::smallest_share * size)
                    : 0;
  op.terms[3] = op.terms[0] + op.terms[1] * SaeLoss::multi_share + op.terms[2] * SaeLoss::auxiliary_share;
}

}  // namespace incipit::device
