#include "emergence/latent_activation.hpp"

#include <algorithm>

#include "emergence/estimate.hpp"

namespace incipit::emergence {
namespace {

int64_t groups_drawn(const JudgeSet& judge) {
  int64_t least = 0;
  for (const int64_t groups : judge.groups_of)
    if (groups > 0 && (least == 0 || groups < least)) least = groups;
  return std::max<int64_t>(1, least / 2);
}

/// Adds the chance of one latent, from its γ in every draw.
void add_chances(const std::vector<int32_t>& fired, const std::vector<double>& chance,
                 std::vector<double>& total) {
  for (size_t r = 0; r < total.size(); ++r) total[r] += chance[static_cast<size_t>(fired[r])];
}

}  // namespace

LatentGroups latent_groups(const sae::Codes& codes, int64_t latents, const JudgeSet& judge) {
  // Groups come in ascending order, so a group is new to a latent if it is not the last one seen there.
  std::vector<std::vector<int32_t>> lists(static_cast<size_t>(latents));
  for (int64_t g = 0; g < judge.groups(); ++g) {
    for (int64_t at = judge.member_start[static_cast<size_t>(g)];
         at < judge.member_start[static_cast<size_t>(g) + 1]; ++at) {
      const int64_t i = judge.member[static_cast<size_t>(at)];
      for (int64_t slot = i * codes.k; slot < (i + 1) * codes.k; ++slot) {
        const int32_t j = codes.latent[static_cast<size_t>(slot)];
        if (j < 0) continue;
        auto& list = lists[static_cast<size_t>(j)];
        if (list.empty() || list.back() != g) list.push_back(static_cast<int32_t>(g));
      }
    }
  }
  LatentGroups out;
  out.start.push_back(0);
  for (const auto& list : lists) {
    out.group.insert(out.group.end(), list.begin(), list.end());
    out.start.push_back(static_cast<int64_t>(out.group.size()));
  }
  return out;
}

std::vector<double> chance_to_fire(int64_t groups, int64_t drawn) {
  std::vector<double> chance;
  for (int64_t fired = 0; fired <= groups; ++fired) {
    // C(G−γ, m)/C(G, m) = Π_{i<m} (G−γ−i)/(G−i)
    double none = 1;
    for (int64_t i = 0; i < drawn; ++i)
      none *= static_cast<double>(std::max<int64_t>(0, groups - fired - i)) / static_cast<double>(groups - i);
    chance.push_back(1.0 - none);
  }
  return chance;
}

LatentActivationDraws latent_activation_draws(const LatentGroups& firing, std::span<const int32_t> latents,
                                              int32_t subject, const JudgeSet& judge,
                                              const Resampling& resampling) {
  const auto bootstrap = static_cast<size_t>(resampling.bootstrap),
             permutations = static_cast<size_t>(resampling.permutations);
  const int64_t groups = judge.groups_of[static_cast<size_t>(subject)];
  if (latents.empty() || groups == 0)
    return {nan, std::vector<double>(bootstrap, nan), std::vector<double>(permutations, nan)};
  const auto chance = chance_to_fire(groups, std::min(groups, groups_drawn(judge)));
  LatentActivationDraws out{0, std::vector<double>(bootstrap, 0.0), std::vector<double>(permutations, 0.0)};
  std::vector<int32_t> resampled(bootstrap), permuted(permutations);
  for (const int32_t j : latents) {
    const int64_t begin = firing.start[static_cast<size_t>(j)],
                  end = firing.start[static_cast<size_t>(j) + 1];
    if (begin == end) continue;
    std::fill(resampled.begin(), resampled.end(), 0);
    std::fill(permuted.begin(), permuted.end(), 0);
    size_t fired = 0;
    for (int64_t at = begin; at < end; ++at) {
      const int32_t g = firing.group[static_cast<size_t>(at)];
      const int32_t* label = resampling.group_labels(g);
      for (size_t r = 0; r < permutations; ++r) permuted[r] += label[r] == subject ? 1 : 0;
      if (judge.group_subject[static_cast<size_t>(g)] != subject) continue;
      ++fired;
      const int32_t* weight = resampling.weights(g);
      for (size_t r = 0; r < bootstrap; ++r) resampled[r] += weight[r];
    }
    out.value += chance[fired];
    add_chances(resampled, chance, out.bootstrap);
    add_chances(permuted, chance, out.permutation);
  }
  const auto count = static_cast<double>(latents.size());
  out.value /= count;
  for (double& v : out.bootstrap) v /= count;
  for (double& v : out.permutation) v /= count;
  return out;
}

}  // namespace incipit::emergence
