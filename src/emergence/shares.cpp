#include "emergence/shares.hpp"

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

std::vector<int32_t> resampled_sizes(const JudgeSet& judge, const Resampling& resampling) {
  const int64_t draws = resampling.bootstrap;
  std::vector<int32_t> sizes(static_cast<size_t>(judge.subjects * draws), 0);
  for (size_t i = 0; i < judge.subject.size(); ++i) {
    const int32_t* weight = resampling.weights(judge.group[i]);
    int32_t* to = sizes.data() + judge.subject[i] * draws;
    for (int64_t r = 0; r < draws; ++r) to[r] += weight[r];
  }
  return sizes;
}

ShareDraws share_draws(std::span<const int32_t> firing, int32_t subject, const JudgeSet& judge,
                       const Resampling& resampling, std::span<const int32_t> sizes) {
  const int32_t subjects = judge.subjects;
  const int64_t bootstrap = resampling.bootstrap, permutations = resampling.permutations;
  const auto count = static_cast<size_t>(subjects);
  std::vector<int32_t> fired(count, 0), resampled(count * static_cast<size_t>(bootstrap), 0),
      permuted(count * static_cast<size_t>(permutations), 0),
      size(judge.probes_of.begin(), judge.probes_of.end());
  for (const int32_t probe : firing) {
    const auto i = static_cast<size_t>(probe);
    const int32_t own = judge.subject[i];
    ++fired[static_cast<size_t>(own)];
    const int32_t* weight = resampling.weights(judge.group[i]);
    int32_t* to = resampled.data() + own * bootstrap;
    for (int64_t r = 0; r < bootstrap; ++r) to[r] += weight[r];
    const int32_t* label = resampling.labels(probe);
    for (int64_t r = 0; r < permutations; ++r) ++permuted[static_cast<size_t>(label[r] * permutations + r)];
  }

  const Shares observed = shares_of(fired.data(), 1, size.data(), 1, subjects, subject);
  ShareDraws out;
  out.probe_activation = observed.probe_activation;
  out.contrast = observed.contrast;
  out.selectivity = observed.selectivity;
  out.silent = firing.empty();
  resize(out.bootstrap, bootstrap);
  resize(out.permutation, permutations);
  for (int64_t r = 0; r < bootstrap; ++r)
    put(out.bootstrap, r,
        shares_of(resampled.data() + r, bootstrap, sizes.data() + r, bootstrap, subjects, subject));
  for (int64_t r = 0; r < permutations; ++r)
    put(out.permutation, r, shares_of(permuted.data() + r, permutations, size.data(), 1, subjects, subject));
  return out;
}

}  // namespace incipit::emergence
