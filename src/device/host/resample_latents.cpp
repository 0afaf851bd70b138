#include "device/resample_latents.hpp"

#include <algorithm>
#include <vector>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

/// γ of one latent, in every draw.
struct FiringGroups {
  explicit FiringGroups(const Resamples& of)
      : bootstrap(static_cast<std::size_t>(of.bootstrap)),
        permutation(static_cast<std::size_t>(of.permutations)) {}

  std::int32_t value = 0;
  std::vector<std::int32_t> bootstrap, permutation;
};

void count_groups(const ResampleLatents& op, std::int32_t latent, std::int32_t own, FiringGroups& fired) {
  const Resamples& of = op.of;
  fired.value = 0;
  std::fill(fired.bootstrap.begin(), fired.bootstrap.end(), 0);
  std::fill(fired.permutation.begin(), fired.permutation.end(), 0);
  const std::int32_t begin = op.group_start[latent];
  for (std::int32_t at = begin; at < op.group_start[latent + 1]; ++at) {
    const std::int32_t g = op.group_list[at];
    if (at > begin && g == op.group_list[at - 1]) continue;
    const std::int32_t* label = of.group_label + g * of.permutations;
    for (std::int64_t r = 0; r < of.permutations; ++r) fired.permutation[r] += label[r] == own ? 1 : 0;
    if (of.group_subject[g] != own) continue;
    ++fired.value;
    const std::int32_t* weight = of.weight + g * of.bootstrap;
    for (std::int64_t r = 0; r < of.bootstrap; ++r) fired.bootstrap[r] += weight[r];
  }
}

void add_set(const ResampleLatents& op, std::int64_t set, FiringGroups& fired) {
  const Resamples& of = op.of;
  const double* chance = op.chance + op.own[set] * op.chances;
  double* drawn = op.total.bootstrap + set * of.bootstrap;
  double* permuted = op.total.permutation + set * of.permutations;
  double value = 0;
  std::fill_n(drawn, of.bootstrap, 0.0);
  std::fill_n(permuted, of.permutations, 0.0);
  for (std::int64_t at = op.start[set]; at < op.start[set + 1]; ++at) {
    count_groups(op, op.latent[at], op.own[set], fired);
    value += chance[fired.value];
    for (std::int64_t r = 0; r < of.bootstrap; ++r) drawn[r] += chance[fired.bootstrap[r]];
    for (std::int64_t r = 0; r < of.permutations; ++r) permuted[r] += chance[fired.permutation[r]];
  }
  op.total.value[set] = value;
}

}  // namespace

void HostDevice::resample_latents(const ResampleLatents& op) {
#pragma omp parallel num_threads(threads_)
  {
    FiringGroups fired(op.of);
#pragma omp for schedule(dynamic)
    for (std::int64_t set = 0; set < op.sets; ++set) add_set(op, set, fired);
  }
}

}  // namespace incipit::device
