#include "emergence/shares.hpp"

#include <algorithm>

#include "emergence/estimate.hpp"

namespace incipit::emergence {
namespace {

struct Shares {
  double probe_activation, contrast, selectivity;
};

/// From the counts of one draw: fired[c·stride] of size[c·stride] probes of subject c.
Shares shares_of(const int32_t* fired, int64_t fired_stride, const int32_t* size, int64_t size_stride,
                 int32_t subjects, int32_t subject) {
  double own = nan, others = 0;
  int64_t count = 0;
  for (int32_t c = 0; c < subjects; ++c) {
    const int32_t probes = size[c * size_stride];
    if (probes == 0) continue;
    const double share = static_cast<double>(fired[c * fired_stride]) / static_cast<double>(probes);
    if (c == subject) {
      own = share;
    } else {
      others += share;
      ++count;
    }
  }
  Shares out{own, nan, nan};
  if (count > 0) out.contrast = own - others / static_cast<double>(count);
  if (own + others > 0) out.selectivity = own / (own + others);
  return out;
}

void resize(ShareDraws::Many& many, int64_t draws) {
  many.probe_activation.resize(static_cast<size_t>(draws));
  many.contrast.resize(static_cast<size_t>(draws));
  many.selectivity.resize(static_cast<size_t>(draws));
}

void put(ShareDraws::Many& many, int64_t draw, const Shares& shares) {
  const auto r = static_cast<size_t>(draw);
  many.probe_activation[r] = shares.probe_activation;
  many.contrast[r] = shares.contrast;
  many.selectivity[r] = shares.selectivity;
}

}  // namespace

Firing count_firing(const device::Buffer<double>& sum, const device::Buffer<int32_t>& own,
                    const Resampling& resampling, const device::Resamples& of) {
  DrawsOnDevice<int32_t> fired(*resampling.device, own.size() * static_cast<size_t>(of.subjects), of);
  DrawsOnDevice<double> strength(*resampling.device, own.size(), of);
  resampling.device->resample_counts({.of = of,
                                      .sets = static_cast<int64_t>(own.size()),
                                      .own = own.data(),
                                      .sum = sum.data(),
                                      .fired = fired.view(),
                                      .strength = strength.view()});
  return {fired.download(), strength.download()};
}

Firing firing_of(const sae::DeviceCodes& codes, const MatchedSets& sets, const Resampling& resampling,
                 const device::Resamples& of) {
  device::Buffer<double> sum(*resampling.device, sets.size() * static_cast<size_t>(codes.n));
  resampling.device->activation_sum({.n = codes.n,
                                     .keep = codes.k,
                                     .h = sets.latents,
                                     .sets = static_cast<int64_t>(sets.size()),
                                     .index = codes.latent.data(),
                                     .value = codes.activation.data(),
                                     .start = sets.latent_start.data(),
                                     .set = sets.latent_set.data(),
                                     .sum = sum.data()});
  return count_firing(sum, sets.own, resampling, of);
}

ShareDraws share_draws(const Draws<int32_t>& fired, size_t set, int32_t subject, const JudgeSet& judge,
                       const Resampling& resampling) {
  const int32_t subjects = judge.subjects;
  const int64_t bootstrap = resampling.bootstrap, permutations = resampling.permutations;
  const auto count = static_cast<size_t>(subjects);
  const int32_t* value = fired.value.data() + set * count;
  const int32_t* resampled = fired.bootstrap.data() + set * count * static_cast<size_t>(bootstrap);
  const int32_t* permuted = fired.permutation.data() + set * count * static_cast<size_t>(permutations);
  const std::vector<int32_t> size(judge.probes_of.begin(), judge.probes_of.end());

  const Shares observed = shares_of(value, 1, size.data(), 1, subjects, subject);
  ShareDraws out;
  out.probe_activation = observed.probe_activation;
  out.contrast = observed.contrast;
  out.selectivity = observed.selectivity;
  out.silent = std::all_of(value, value + subjects, [](int32_t probes) { return probes == 0; });
  resize(out.bootstrap, bootstrap);
  resize(out.permutation, permutations);
  for (int64_t r = 0; r < bootstrap; ++r)
    put(out.bootstrap, r,
        shares_of(resampled + r, bootstrap, resampling.sizes.data() + r, bootstrap, subjects, subject));
  for (int64_t r = 0; r < permutations; ++r)
    put(out.permutation, r, shares_of(permuted + r, permutations, size.data(), 1, subjects, subject));
  return out;
}

}  // namespace incipit::emergence
