#include "emergence/measures.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "emergence/auc.hpp"
#include "emergence/latent_activation.hpp"
#include "emergence/shares.hpp"
#include "error.hpp"
#include "sae/encode.hpp"

namespace incipit::emergence {
namespace {

/// Where M_c fires, and how strongly.
struct Firing {
  std::vector<int32_t> probe;    ///< ascending
  std::vector<double> strength;  ///< Σ_{j∈M_c} a_j there
};

int64_t latents_named(const sae::Codes& codes, const Matched& matched) {
  int32_t largest = -1;
  for (const int32_t j : codes.latent) largest = std::max(largest, j);
  for (const auto& set : matched)
    for (const int32_t j : set) largest = std::max(largest, j);
  return static_cast<int64_t>(largest) + 1;
}

std::vector<Firing> firing_of(const sae::Codes& codes, const Matched& matched) {
  std::vector<std::vector<int32_t>> subjects_of(static_cast<size_t>(latents_named(codes, matched)));
  for (size_t c = 0; c < matched.size(); ++c)
    for (const int32_t j : matched[c]) subjects_of[static_cast<size_t>(j)].push_back(static_cast<int32_t>(c));
  std::vector<Firing> firing(matched.size());
  for (int64_t i = 0; i < codes.n; ++i) {
    for (int64_t slot = i * codes.k; slot < (i + 1) * codes.k; ++slot) {
      const int32_t j = codes.latent[static_cast<size_t>(slot)];
      if (j < 0) continue;
      const auto a = static_cast<double>(codes.activation[static_cast<size_t>(slot)]);
      for (const int32_t c : subjects_of[static_cast<size_t>(j)]) {
        Firing& f = firing[static_cast<size_t>(c)];
        if (f.probe.empty() || f.probe.back() != i) {
          f.probe.push_back(static_cast<int32_t>(i));
          f.strength.push_back(0);
        }
        f.strength.back() += a;
      }
    }
  }
  return firing;
}

/// Σ of strengths over P_c as drawn, by |P_c| as drawn.
struct StrengthDraws {
  double value;
  std::vector<double> bootstrap, permutation;
};

StrengthDraws strength_draws(const Firing& firing, int32_t subject, const JudgeSet& judge,
                             const Resampling& resampling, std::span<const int32_t> sizes) {
  const auto bootstrap = static_cast<size_t>(resampling.bootstrap),
             permutations = static_cast<size_t>(resampling.permutations);
  StrengthDraws out{0, std::vector<double>(bootstrap, 0.0), std::vector<double>(permutations, 0.0)};
  for (size_t at = 0; at < firing.probe.size(); ++at) {
    const auto i = static_cast<size_t>(firing.probe[at]);
    const double a = firing.strength[at];
    const int32_t* label = resampling.labels(firing.probe[at]);
    for (size_t r = 0; r < permutations; ++r) out.permutation[r] += label[r] == subject ? a : 0.0;
    if (judge.subject[i] != subject) continue;
    out.value += a;
    const int32_t* weight = resampling.weights(judge.group[i]);
    for (size_t r = 0; r < bootstrap; ++r) out.bootstrap[r] += static_cast<double>(weight[r]) * a;
  }
  const auto probes = static_cast<double>(judge.probes_of[static_cast<size_t>(subject)]);
  // Without probes 0/0: NaN, as it should be.
  out.value /= probes;
  for (double& v : out.permutation) v /= probes;
  const int32_t* size = sizes.data() + static_cast<size_t>(subject) * bootstrap;
  for (size_t r = 0; r < bootstrap; ++r) out.bootstrap[r] /= static_cast<double>(size[r]);
  return out;
}

/// a/b, NaN where b is not above 0.
double ratio(double a, double b) {
  return b > 0 ? a / b : nan;
}

void check_shapes(const sae::Codes& codes, std::span<const double> scores, const Matched& matched,
                  const JudgeSet& judge) {
  const auto subjects = static_cast<size_t>(judge.subjects);
  if (codes.n != judge.n() || matched.size() != subjects || scores.size() != judge.subject.size() * subjects)
    throw Error(Exit::defect, "measures: codes, scores or matches do not fit the judged probes");
}

std::vector<double> column(std::span<const double> scores, int32_t subjects, int32_t c) {
  std::vector<double> out;
  out.reserve(scores.size() / static_cast<size_t>(subjects));
  for (auto at = static_cast<size_t>(c); at < scores.size(); at += static_cast<size_t>(subjects))
    out.push_back(scores[at]);
  return out;
}

Estimates empty_estimates(int32_t subjects, int64_t permutations) {
  Estimates out;
  out.subject.resize(static_cast<size_t>(subjects));
  out.null.assign(static_cast<size_t>(subjects * permutations), nan);
  return out;
}

void keep_null(Estimates& out, int32_t subject, const std::vector<double>& null) {
  if (std::isnan(out.subject[static_cast<size_t>(subject)].value)) return;
  std::copy(null.begin(), null.end(), out.null.begin() + static_cast<int64_t>(null.size()) * subject);
}

void put(Estimates& out, int32_t subject, const Estimate& value, const std::vector<double>& null) {
  out.subject[static_cast<size_t>(subject)] = value;
  keep_null(out, subject, null);
}

}  // namespace

SiteMeasures no_measures(int32_t subjects, int64_t permutations, Status reason) {
  SiteMeasures out;
  for (auto& m : out.measure) m = empty_estimates(subjects, permutations);
  out.status.assign(static_cast<size_t>(subjects), reason);
  return out;
}

Usage usage(const sae::Codes& codes, int64_t latents) {
  std::vector<int64_t> fired(static_cast<size_t>(latents), 0);
  int64_t total = 0, silent = 0;
  for (int64_t i = 0; i < codes.n; ++i) {
    int64_t here = 0;
    for (int64_t slot = i * codes.k; slot < (i + 1) * codes.k; ++slot) {
      const int32_t j = codes.latent[static_cast<size_t>(slot)];
      if (j < 0) continue;
      ++fired[static_cast<size_t>(j)];
      ++here;
    }
    total += here;
    silent += here == 0 ? 1 : 0;
  }
  Usage out;
  if (codes.n > 0) out.silent = static_cast<double>(silent) / static_cast<double>(codes.n);
  if (total == 0) return out;
  double entropy = 0;
  for (const int64_t count : fired) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(total);
    entropy -= share * std::log(share);
  }
  out.perplexity = std::exp(entropy);
  return out;
}

StrengthReference strength_reference(const sae::Codes& codes, const Matched& matched, const JudgeSet& judge,
                                     const Resampling& resampling) {
  const auto firing = firing_of(codes, matched);
  const auto sizes = resampled_sizes(judge, resampling);
  StrengthReference out;
  for (int32_t c = 0; c < judge.subjects; ++c) {
    const StrengthDraws own = strength_draws(firing[static_cast<size_t>(c)], c, judge, resampling, sizes);
    out.value.push_back(own.value);
    out.draws.insert(out.draws.end(), own.bootstrap.begin(), own.bootstrap.end());
  }
  return out;
}

std::vector<double> subject_scores(device::Device& device, const sae::Sae& sae, std::span<const float> u,
                                   int64_t n, const Matched& matched) {
  constexpr int64_t block = 1024;
  const size_t subjects = matched.size();
  std::vector<double> scores(static_cast<size_t>(n) * subjects, nan);
  for (int64_t begin = 0; begin < n; begin += block) {
    const int64_t count = std::min(block, n - begin);
    const auto z = sae::preactivations(
        device, sae, u.subspan(static_cast<size_t>(begin * sae.d), static_cast<size_t>(count * sae.d)),
        count);
    for (int64_t i = 0; i < count; ++i) {
      const float* row = z.data() + i * sae.h;
      for (size_t c = 0; c < subjects; ++c) {
        if (matched[c].empty()) continue;
        float largest = row[matched[c].front()];
        for (const int32_t j : matched[c]) largest = std::max(largest, row[j]);
        scores[static_cast<size_t>(begin + i) * subjects + c] = static_cast<double>(largest);
      }
    }
  }
  return scores;
}

SiteMeasures measure_codes(const sae::Codes& codes, std::span<const double> scores, const Matched& matched,
                           const JudgeSet& judge, const Resampling& resampling,
                           const StrengthReference& reference) {
  check_shapes(codes, scores, matched, judge);
  const auto firing = firing_of(codes, matched);
  const auto groups = latent_groups(codes, latents_named(codes, matched), judge);
  const auto sizes = resampled_sizes(judge, resampling);
  SiteMeasures out = no_measures(judge.subjects, resampling.permutations, Status::no_latent);
  const auto slot = [&out](Measure m) -> Estimates& { return out.measure[static_cast<size_t>(m)]; };

#pragma omp parallel for schedule(dynamic)
  for (int32_t c = 0; c < judge.subjects; ++c) {
    const auto& set = matched[static_cast<size_t>(c)];
    if (set.empty()) continue;
    const Firing& own = firing[static_cast<size_t>(c)];

    const ShareDraws shares = share_draws(own.probe, c, judge, resampling, sizes);
    out.status[static_cast<size_t>(c)] = shares.silent ? Status::silent : Status::ok;
    put(slot(Measure::probe_activation), c,
        estimate_share(shares.probe_activation, shares.bootstrap.probe_activation,
                       shares.permutation.probe_activation, judge.groups_of[static_cast<size_t>(c)]),
        shares.permutation.probe_activation);
    put(slot(Measure::contrast), c,
        estimate(shares.contrast, shares.bootstrap.contrast, shares.permutation.contrast),
        shares.permutation.contrast);
    put(slot(Measure::selectivity), c,
        estimate(shares.selectivity, shares.bootstrap.selectivity, shares.permutation.selectivity),
        shares.permutation.selectivity);

    const LatentActivationDraws latent = latent_activation_draws(groups, set, c, judge, resampling);
    put(slot(Measure::latent_activation), c, estimate(latent.value, latent.bootstrap, latent.permutation),
        latent.permutation);

    StrengthDraws strength = strength_draws(own, c, judge, resampling, sizes);
    const double anchor = reference.value[static_cast<size_t>(c)];
    for (size_t r = 0; r < strength.bootstrap.size(); ++r)
      strength.bootstrap[r] = ratio(strength.bootstrap[r],
                                    reference.draws[static_cast<size_t>(c) * strength.bootstrap.size() + r]);
    for (double& v : strength.permutation) v = ratio(v, anchor);
    put(slot(Measure::strength), c,
        estimate(ratio(strength.value, anchor), strength.bootstrap, strength.permutation),
        strength.permutation);

    const AucDraws area = auc_draws(column(scores, judge.subjects, c), c, judge, resampling);
    put(slot(Measure::auc), c, estimate(area.value, area.bootstrap, area.permutation), area.permutation);
  }
  return out;
}

MeasuredSite measure_site(device::Device& device, const sae::Sae& sae, std::span<const float> u,
                          const Matched& matched, const JudgeSet& judge, const Resampling& resampling,
                          const StrengthReference& reference) {
  const auto codes = sae::encode(device, sae, u, judge.n());
  const auto scores = subject_scores(device, sae, u, judge.n(), matched);
  return {measure_codes(codes, scores, matched, judge, resampling, reference), usage(codes, sae.h)};
}

Estimates measure_auc(std::span<const double> scores, const JudgeSet& judge, const Resampling& resampling) {
  if (scores.size() != judge.subject.size() * static_cast<size_t>(judge.subjects))
    throw Error(Exit::defect, "measures: scores do not fit the judged probes");
  Estimates out = empty_estimates(judge.subjects, resampling.permutations);
#pragma omp parallel for schedule(dynamic)
  for (int32_t c = 0; c < judge.subjects; ++c) {
    const AucDraws area = auc_draws(column(scores, judge.subjects, c), c, judge, resampling);
    put(out, c, estimate(area.value, area.bootstrap, area.permutation), area.permutation);
  }
  return out;
}

Estimates measure_contrast(std::span<const int32_t> predicted, const JudgeSet& judge,
                           const Resampling& resampling) {
  if (predicted.size() != judge.subject.size())
    throw Error(Exit::defect, "measures: predictions do not fit the judged probes");
  const auto sizes = resampled_sizes(judge, resampling);
  Estimates out = empty_estimates(judge.subjects, resampling.permutations);
#pragma omp parallel for schedule(dynamic)
  for (int32_t c = 0; c < judge.subjects; ++c) {
    std::vector<int32_t> firing;
    for (size_t i = 0; i < predicted.size(); ++i)
      if (predicted[i] == c) firing.push_back(static_cast<int32_t>(i));
    const ShareDraws shares = share_draws(firing, c, judge, resampling, sizes);
    put(out, c, estimate(shares.contrast, shares.bootstrap.contrast, shares.permutation.contrast),
        shares.permutation.contrast);
  }
  return out;
}

std::vector<double> probe_activation(const sae::Codes& codes, const Matched& matched, const JudgeSet& judge) {
  const auto firing = firing_of(codes, matched);
  std::vector<double> out;
  for (size_t c = 0; c < matched.size(); ++c) {
    const auto count = std::count_if(firing[c].probe.begin(), firing[c].probe.end(), [&](int32_t i) {
      return judge.subject[static_cast<size_t>(i)] == static_cast<int32_t>(c);
    });
    const auto probes = static_cast<double>(judge.probes_of[c]);
    out.push_back(matched[c].empty() ? nan : ratio(static_cast<double>(count), probes));
  }
  return out;
}

Matched match_at(std::span<const float> similarity, std::span<const int8_t> interpretable, int32_t subjects,
                 double tau) {
  Matched out(static_cast<size_t>(subjects));
  for (size_t j = 0; j < interpretable.size(); ++j) {
    if (interpretable[j] == 0) continue;
    for (size_t c = 0; c < out.size(); ++c)
      if (static_cast<double>(similarity[j * out.size() + c]) >= tau)
        out[c].push_back(static_cast<int32_t>(j));
  }
  return out;
}

}  // namespace incipit::emergence
