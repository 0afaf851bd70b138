#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "device/host/host_device.hpp"
#include "emergence/groups.hpp"
#include "emergence/measures.hpp"
#include "random.hpp"
#include "sae/encode.hpp"

/// Made-up probes, codes and plain-loop measures for the tests of emergence.
namespace incipit::emergence::test {

inline device::Device& host() {
  static const auto device = device::make_host_device(1);
  return *device;
}

/// Latents −1 become latents that do not fire.
inline sae::DeviceCodes on_device(device::Device& device, const sae::Codes& codes) {
  auto activation = codes.activation;
  for (size_t i = 0; i < activation.size(); ++i)
    if (codes.latent[i] < 0) activation[i] = 0;
  return {codes.n,
          codes.k,
          {device, std::span<const int32_t>(codes.latent)},
          {device, std::span<const float>(activation)}};
}

/// With `scores` [n, C].
inline SiteCodes site(device::Device& device, const sae::Codes& codes, const std::vector<double>& scores,
                      const MatchedSets& sets) {
  std::vector<float> columns;
  for (const int32_t c : sets.subject)
    for (int64_t i = 0; i < codes.n; ++i)
      columns.push_back(static_cast<float>(scores[static_cast<size_t>(i * sets.subjects + c)]));
  return {on_device(device, codes), {device, std::span<const float>(columns)}};
}

/// All measures of `codes`, their strength relative to that of `home`.
inline SiteMeasures measured(const sae::Codes& codes, const sae::Codes& home,
                             const std::vector<double>& scores, const Matched& matched, int64_t latents,
                             const JudgeSet& judge, const Resampling& resampling) {
  device::Device& device = *resampling.device;
  const MatchedSets sets(device, matched, latents);
  return measure_codes(site(device, codes, scores, sets), sets, judge, resampling,
                       strength_reference(on_device(device, home), sets, judge, resampling));
}

/// `per_subject` groups of one subject after the other; the sizes of groups go through `sizes` in turn.
inline JudgeSet judge_set(int32_t subjects, int64_t per_subject, const std::vector<int64_t>& sizes) {
  std::vector<int32_t> subject, group, group_subject;
  for (int32_t c = 0; c < subjects; ++c)
    for (int64_t g = 0; g < per_subject; ++g) {
      for (int64_t i = 0; i < sizes[static_cast<size_t>(g) % sizes.size()]; ++i) {
        subject.push_back(c);
        group.push_back(static_cast<int32_t>(group_subject.size()));
      }
      group_subject.push_back(c);
    }
  return make_judge_set(subjects, subject, group, group_subject);
}

/// k distinct latents of h on each probe, some slots empty. With `signal`, subject c prefers latent c.
inline sae::Codes codes(const JudgeSet& judge, int64_t k, int32_t h, double signal, uint64_t stream) {
  Random random(3, Purpose::test, stream);
  sae::Codes out;
  out.n = judge.n();
  out.k = k;
  for (int64_t i = 0; i < out.n; ++i) {
    std::vector<int32_t> fired;
    if (random.uniform() < signal) fired.push_back(judge.subject[static_cast<size_t>(i)] % h);
    while (static_cast<int64_t>(fired.size()) < k && random.uniform() < 0.8) {
      const auto j = static_cast<int32_t>(random.below(static_cast<uint64_t>(h)));
      if (std::find(fired.begin(), fired.end(), j) == fired.end()) fired.push_back(j);
    }
    for (int64_t s = 0; s < k; ++s) {
      const bool fires = s < static_cast<int64_t>(fired.size());
      out.latent.push_back(fires ? fired[static_cast<size_t>(s)] : -1);
      out.activation.push_back(fires ? static_cast<float>(0.1 + random.uniform()) : 0.0F);
    }
  }
  return out;
}

/// One draw: how often each probe and group counts, and what subject each is said to have.
struct Draw {
  std::vector<double> probe_weight, group_weight;
  std::vector<int32_t> label, group_label;
};

struct Plain {
  double probe_activation = nan, contrast = nan, latent_activation = nan, selectivity = nan, strength = nan,
         auc = nan;
};

inline double choose(double n, double k) {
  return n < k ? 0.0 : std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1));
}

/// Science §5 by the letter, for subject c; strength not yet relative to anything.
inline Plain measure(const sae::Codes& codes, const std::vector<double>& scores, const Matched& matched,
                     const JudgeSet& judge, const Draw& draw, int32_t c) {
  const auto& set = matched[static_cast<size_t>(c)];
  const auto in_set = [&](int32_t j) { return std::find(set.begin(), set.end(), j) != set.end(); };
  const auto subjects = static_cast<size_t>(judge.subjects);
  std::vector<double> fired(subjects, 0.0), all(subjects, 0.0), strong(subjects, 0.0);
  for (int64_t i = 0; i < codes.n; ++i) {
    const double w = draw.probe_weight[static_cast<size_t>(i)];
    const auto s = static_cast<size_t>(draw.label[static_cast<size_t>(i)]);
    bool fires = false;
    double sum = 0;
    for (int64_t slot = i * codes.k; slot < (i + 1) * codes.k; ++slot)
      if (in_set(codes.latent[static_cast<size_t>(slot)])) {
        fires = true;
        sum += static_cast<double>(codes.activation[static_cast<size_t>(slot)]);
      }
    all[s] += w;
    fired[s] += fires ? w : 0;
    strong[s] += w * sum;
  }
  Plain out;
  const auto own = static_cast<size_t>(c);
  out.probe_activation = fired[own] / all[own];
  double others = 0, total = 0;
  for (size_t s = 0; s < subjects; ++s) {
    total += fired[s] / all[s];
    if (s != own) others += fired[s] / all[s] / static_cast<double>(subjects - 1);
  }
  out.contrast = out.probe_activation - others;
  if (total > 0) out.selectivity = out.probe_activation / total;
  out.strength = strong[own] / all[own];

  std::vector<double> groups(subjects, 0.0);
  for (const int32_t s : judge.group_subject) groups[static_cast<size_t>(s)] += 1;
  const double drawn = std::max(1.0, std::floor(*std::min_element(groups.begin(), groups.end()) / 2));
  out.latent_activation = 0;
  for (const int32_t j : set) {
    double gamma = 0;
    for (int64_t g = 0; g < judge.groups(); ++g) {
      bool fires = false;
      for (int64_t i = 0; i < codes.n; ++i)
        for (int64_t slot = i * codes.k; slot < (i + 1) * codes.k; ++slot)
          fires = fires ||
                  (judge.group[static_cast<size_t>(i)] == g && codes.latent[static_cast<size_t>(slot)] == j);
      if (fires && draw.group_label[static_cast<size_t>(g)] == c)
        gamma += draw.group_weight[static_cast<size_t>(g)];
    }
    out.latent_activation += 1 - choose(groups[own] - gamma, drawn) / choose(groups[own], drawn);
  }
  out.latent_activation /= static_cast<double>(set.size());

  double pairs = 0, won = 0;
  for (int64_t a = 0; a < codes.n; ++a)
    for (int64_t b = 0; b < codes.n; ++b) {
      if (draw.label[static_cast<size_t>(a)] != c || draw.label[static_cast<size_t>(b)] == c) continue;
      const double w = draw.probe_weight[static_cast<size_t>(a)] * draw.probe_weight[static_cast<size_t>(b)];
      const double x = scores[static_cast<size_t>(a) * subjects + own],
                   y = scores[static_cast<size_t>(b) * subjects + own];
      pairs += w;
      won += w * (x > y ? 1.0 : x == y ? 0.5 : 0.0);
    }
  out.auc = pairs > 0 ? won / pairs : nan;
  return out;
}

inline Draw observed(const JudgeSet& judge) {
  return {std::vector<double>(judge.subject.size(), 1.0),
          std::vector<double>(judge.group_subject.size(), 1.0), judge.subject, judge.group_subject};
}

inline Draw bootstrap_draw(const JudgeSet& judge, const Resampling& resampling, int64_t b) {
  Draw out = observed(judge);
  const auto weight = resampling.weight.download();
  const auto of = [&](int64_t g) { return weight[static_cast<size_t>(g * resampling.bootstrap + b)]; };
  for (int64_t g = 0; g < judge.groups(); ++g) out.group_weight[static_cast<size_t>(g)] = of(g);
  for (size_t i = 0; i < judge.subject.size(); ++i) out.probe_weight[i] = of(judge.group[i]);
  return out;
}

inline Draw permutation_draw(const JudgeSet& judge, const Resampling& resampling, int64_t p) {
  Draw out = observed(judge);
  const auto label = resampling.label.download(), group_label = resampling.group_label.download();
  const auto at = [&](int64_t i) { return static_cast<size_t>(i * resampling.permutations + p); };
  for (int64_t g = 0; g < judge.groups(); ++g) out.group_label[static_cast<size_t>(g)] = group_label[at(g)];
  for (int64_t i = 0; i < judge.n(); ++i) out.label[static_cast<size_t>(i)] = label[at(i)];
  return out;
}

}  // namespace incipit::emergence::test
