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

void run_problem(const SaeLoss& op, std::int64_t p) {
  double* terms = op.terms + 4 * p;
  const auto size = static_cast<double>(op.n * op.d);
  const double square = sum(op.square + p * op.n, op.n);
  terms[0] = square / size;
  terms[1] = sum(op.square_multi + p * op.n, op.n) / size;
  terms[2] = op.square_auxiliary != nullptr ? sum(op.square_auxiliary + p * op.n, op.n) /
                                                  std::max(square, SaeLoss::smallest_share * size)
                                            : 0;
  terms[3] = terms[0] + terms[1] * SaeLoss::multi_share + terms[2] * SaeLoss::auxiliary_share;
}

}  // namespace

void HostDevice::sae_loss(const SaeLoss& op) {
  for (std::int64_t p = 0; p < op.problems; ++p) run_problem(op, p);
}

}  // namespace incipit::device
