#include "device/resample_counts.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

void count_set(const ResampleCounts& op, std::int64_t set) {
  const Resamples& of = op.of;
  const double* sum = op.sum + set * of.n;
  const std::int32_t own = op.own[set];
  std::int32_t* fired = op.fired.value + set * of.subjects;
  std::int32_t* resampled = op.fired.bootstrap + set * of.subjects * of.bootstrap;
  std::int32_t* permuted = op.fired.permutation + set * of.subjects * of.permutations;
  double* drawn = op.strength.bootstrap + set * of.bootstrap;
  double* moved = op.strength.permutation + set * of.permutations;
  std::fill_n(fired, of.subjects, 0);
  std::fill_n(resampled, of.subjects * of.bootstrap, 0);
  std::fill_n(permuted, of.subjects * of.permutations, 0);
  std::fill_n(drawn, of.bootstrap, 0.0);
  std::fill_n(moved, of.permutations, 0.0);
  double strength = 0;
  for (std::int64_t i = 0; i < of.n; ++i) {
    const double a = sum[i];
    if (!(a > 0)) continue;
    const std::int32_t subject = of.subject[i];
    const std::int32_t* weight = of.weight + of.group[i] * of.bootstrap;
    const std::int32_t* label = of.label + i * of.permutations;
    ++fired[subject];
    std::int32_t* to = resampled + subject * of.bootstrap;
    for (std::int64_t r = 0; r < of.bootstrap; ++r) to[r] += weight[r];
    for (std::int64_t r = 0; r < of.permutations; ++r) {
      ++permuted[label[r] * of.permutations + r];
      moved[r] += label[r] == own ? a : 0.0;
    }
    if (subject != own) continue;
    strength += a;
    for (std::int64_t r = 0; r < of.bootstrap; ++r) drawn[r] += static_cast<double>(weight[r]) * a;
  }
  op.strength.value[set] = strength;
}

}  // namespace

void HostDevice::resample_counts(const ResampleCounts& op) {
#pragma omp parallel for schedule(dynamic) num_threads(threads_)
  for (std::int64_t set = 0; set < op.sets; ++set) count_set(op, set);
}

}  // namespace incipit::device
