#include "emergence/measures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "emergence/auc.hpp"
#include "emergence/latent_activation.hpp"
#include "emergence/shares.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

/// Σ of strengths over P_c as drawn becomes the mean, by |P_c| as drawn. Without probes 0/0: NaN, as it
/// should be.
void divide_by_probes(Draws<double>& strength, std::span<const int32_t> subject, const JudgeSet& judge,
                      const Resampling& resampling) {
  const auto bootstrap = static_cast<size_t>(resampling.bootstrap),
             permutations = static_cast<size_t>(resampling.permutations);
  for (size_t s = 0; s < subject.size(); ++s) {
    const auto c = static_cast<size_t>(subject[s]);
    const auto probes = static_cast<double>(judge.probes_of[c]);
    const int32_t* size = resampling.sizes.data() + c * bootstrap;
    strength.value[s] /= probes;
    for (size_t r = 0; r < permutations; ++r) strength.permutation[s * permutations + r] /= probes;
    for (size_t r = 0; r < bootstrap; ++r)
      strength.bootstrap[s * bootstrap + r] /= static_cast<double>(size[r]);
  }
}

/// a/b, NaN where b is not above 0.
double ratio(double a, double b) {
  return b > 0 ? a / b : nan;
}

void check_shapes(const sae::DeviceCodes& codes, const MatchedSets& sets, const JudgeSet& judge,
                  const Resampling& resampling) {
  if (codes.n != judge.n() || resampling.n() != judge.n() || sets.subjects != judge.subjects)
    throw Error(Exit::defect, "measures: codes or matches do not fit the judged probes");
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

void put(Estimates& out, int32_t subject, const Draws<double>& one) {
  put(out, subject, estimate(one.value.front(), one.bootstrap, one.permutation), one.permutation);
}

/// A set's strength by the anchor's: resamples by its resamples, permutations by its value.
Draws<double> relative(Draws<double> strength, size_t set, const StrengthReference& reference) {
  const double anchor = reference.value[set];
  const size_t draws = strength.bootstrap.size();
  strength.value.front() = ratio(strength.value.front(), anchor);
  for (size_t r = 0; r < draws; ++r)
    strength.bootstrap[r] = ratio(strength.bootstrap[r], reference.draws[set * draws + r]);
  for (double& v : strength.permutation) v = ratio(v, anchor);
  return strength;
}

}  // namespace

SiteMeasures no_measures(int32_t subjects, int64_t bootstrap, int64_t permutations, Status reason) {
  SiteMeasures out;
  out.contrast_draws.assign(static_cast<size_t>(subjects * bootstrap), nan);
  for (auto& m : out.measure) m = empty_estimates(subjects, permutations);
  out.status.assign(static_cast<size_t>(subjects), reason);
  return out;
}

SiteCodes encode_site(const sae::Sae& sae, std::span<const float> u, const MatchedSets& sets,
                      const Resampling& resampling) {
  device::Device& device = *resampling.device;
  const int64_t n = resampling.n();
  SiteCodes out;
  out.scores = {device, sets.size() * static_cast<size_t>(n)};
  out.codes = sae::encode_on_device(device, sae, u, n, [&](int64_t begin, int64_t rows, const float* z) {
    device.set_maximum({.rows = rows,
                        .h = sae.h,
                        .sets = static_cast<int64_t>(sets.size()),
                        .stride = n,
                        .z = z,
                        .start = sets.start.data(),
                        .latent = sets.latent.data(),
                        .out = out.scores.data() + begin});
  });
  return out;
}

Usage usage(const sae::DeviceCodes& codes, int64_t latents, const Resampling& resampling) {
  device::Buffer<int32_t> counts(*resampling.device, static_cast<size_t>(latents * resampling.subjects));
  device::Buffer<int32_t> silent(*resampling.device, 1);
  resampling.device->latent_histogram({.n = codes.n,
                                       .keep = codes.k,
                                       .h = latents,
                                       .subjects = resampling.subjects,
                                       .index = codes.latent.data(),
                                       .value = codes.activation.data(),
                                       .subject = resampling.subject.data(),
                                       .count = counts.data(),
                                       .silent = silent.data()});
  const auto count = counts.download();
  const int64_t total = std::accumulate(count.begin(), count.end(), int64_t{0});
  Usage out;
  const auto probes = static_cast<double>(codes.n);
  if (codes.n > 0) out.silent = static_cast<double>(silent.download().front()) / probes;
  double entropy = 0;
  for (auto of = count.begin(); of != count.end(); of += resampling.subjects) {
    const int64_t fired = std::accumulate(of, of + resampling.subjects, int64_t{0});
    out.fire_rate.push_back(codes.n > 0 ? static_cast<double>(fired) / probes : nan);
    if (fired == 0) continue;
    const double share = static_cast<double>(fired) / static_cast<double>(total);
    entropy -= share * std::log(share);
  }
  if (total > 0) out.perplexity = std::exp(entropy);
  return out;
}

StrengthReference strength_reference(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                     const JudgeSet& judge, const Resampling& resampling) {
  check_shapes(codes, sets, judge, resampling);
  auto strength = firing_of(codes, sets, resampling, resampling.view()).strength;
  divide_by_probes(strength, sets.subject, judge, resampling);
  return {std::move(strength.value), std::move(strength.bootstrap)};
}

SiteMeasures measure_codes(const SiteCodes& site, const MatchedSets& sets, const JudgeSet& judge,
                           const Resampling& resampling, const StrengthReference& reference) {
  check_shapes(site.codes, sets, judge, resampling);
  Firing firing = firing_of(site.codes, sets, resampling, resampling.view());
  divide_by_probes(firing.strength, sets.subject, judge, resampling);
  const auto latent_draws = latent_activation_draws(site.codes, sets, judge, resampling);
  const auto areas = auc_draws(site.scores, sets.own, resampling);
  SiteMeasures out =
      no_measures(judge.subjects, resampling.bootstrap, resampling.permutations, Status::no_latent);
  const auto slot = [&out](Measure m) -> Estimates& { return out.measure[static_cast<size_t>(m)]; };

#pragma omp parallel for schedule(dynamic)
  for (size_t s = 0; s < sets.size(); ++s) {
    const int32_t c = sets.subject[s];
    const ShareDraws shares = share_draws(firing.fired, s, c, judge, resampling);
    out.status[static_cast<size_t>(c)] = shares.silent ? Status::silent : Status::ok;
    put(slot(Measure::probe_activation), c,
        estimate_share(shares.probe_activation, shares.bootstrap.probe_activation,
                       shares.permutation.probe_activation, judge.groups_of[static_cast<size_t>(c)]),
        shares.permutation.probe_activation);
    put(slot(Measure::contrast), c,
        estimate(shares.contrast, shares.bootstrap.contrast, shares.permutation.contrast),
        shares.permutation.contrast);
    std::copy(shares.bootstrap.contrast.begin(), shares.bootstrap.contrast.end(),
              out.contrast_draws.begin() + resampling.bootstrap * c);
    put(slot(Measure::selectivity), c,
        estimate(shares.selectivity, shares.bootstrap.selectivity, shares.permutation.selectivity),
        shares.permutation.selectivity);
    put(slot(Measure::latent_activation), c, latent_draws.row(s));
    put(slot(Measure::strength), c, relative(firing.strength.row(s), s, reference));
    put(slot(Measure::auc), c, areas.row(s));
  }
  return out;
}

Estimates measure_auc(std::span<const double> scores, const JudgeSet& judge, const Resampling& resampling) {
  if (scores.size() != judge.subject.size() * static_cast<size_t>(judge.subjects))
    throw Error(Exit::defect, "measures: scores do not fit the judged probes");
  std::vector<int32_t> subject;
  std::vector<double> columns;  // [those without a NaN, n]
  for (int32_t c = 0; c < judge.subjects; ++c) {
    const auto one = column(scores, judge.subjects, c);
    if (std::any_of(one.begin(), one.end(), [](double v) { return std::isnan(v); })) continue;
    subject.push_back(c);
    columns.insert(columns.end(), one.begin(), one.end());
  }
  const auto areas = auc_draws({*resampling.device, std::span<const double>(columns)},
                               {*resampling.device, std::span<const int32_t>(subject)}, resampling);
  Estimates out = empty_estimates(judge.subjects, resampling.permutations);
#pragma omp parallel for schedule(dynamic)
  for (size_t s = 0; s < subject.size(); ++s) put(out, subject[s], areas.row(s));
  return out;
}

Estimates measure_contrast(std::span<const int32_t> predicted, const JudgeSet& judge,
                           const Resampling& resampling) {
  if (predicted.size() != judge.subject.size())
    throw Error(Exit::defect, "measures: predictions do not fit the judged probes");
  std::vector<int32_t> subject(static_cast<size_t>(judge.subjects));
  std::iota(subject.begin(), subject.end(), 0);
  std::vector<double> fires;  // [C, n]
  for (const int32_t c : subject)
    for (const int32_t p : predicted) fires.push_back(p == c ? 1.0 : 0.0);
  const Firing firing =
      count_firing({*resampling.device, std::span<const double>(fires)},
                   {*resampling.device, std::span<const int32_t>(subject)}, resampling, resampling.view());
  Estimates out = empty_estimates(judge.subjects, resampling.permutations);
#pragma omp parallel for schedule(dynamic)
  for (size_t c = 0; c < subject.size(); ++c) {
    const ShareDraws shares = share_draws(firing.fired, c, subject[c], judge, resampling);
    put(out, subject[c], estimate(shares.contrast, shares.bootstrap.contrast, shares.permutation.contrast),
        shares.permutation.contrast);
  }
  return out;
}

BareShares bare_shares(const sae::DeviceCodes& codes, const MatchedSets& sets, const JudgeSet& judge,
                       const Resampling& resampling) {
  check_shapes(codes, sets, judge, resampling);
  const auto fired = firing_of(codes, sets, resampling, resampling.view_without_draws()).fired.value;
  const auto subjects = static_cast<size_t>(judge.subjects);
  BareShares out{std::vector<double>(subjects, nan), std::vector<double>(subjects, nan)};
  for (size_t s = 0; s < sets.size(); ++s) {
    const auto c = static_cast<size_t>(sets.subject[s]);
    double others = 0, count = 0;
    for (size_t other = 0; other < subjects; ++other) {
      const double share = ratio(static_cast<double>(fired[s * subjects + other]),
                                 static_cast<double>(judge.probes_of[other]));
      if (other == c) out.probe_activation[c] = share;
      if (other == c || std::isnan(share)) continue;
      others += share;
      count += 1;
    }
    out.contrast[c] = out.probe_activation[c] - ratio(others, count);
  }
  return out;
}

std::vector<double> probe_activation(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                     const JudgeSet& judge, const Resampling& resampling) {
  return bare_shares(codes, sets, judge, resampling).probe_activation;
}

std::vector<double> probe_activation(const sae::DeviceCodes& codes, const std::vector<MatchedSets>& several,
                                     const JudgeSet& judge, const Resampling& resampling) {
  std::vector<double> out;
  for (const MatchedSets& sets : several) {
    const auto shares = probe_activation(codes, sets, judge, resampling);
    out.insert(out.end(), shares.begin(), shares.end());
  }
  return out;
}

}  // namespace incipit::emergence
