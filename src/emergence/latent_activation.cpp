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

/// chance_to_fire of each subject, in rows of the longest; all NaN for a subject without groups.
struct Chances {
  int64_t columns;
  std::vector<double> chance;  ///< [C, columns]
};

Chances chances_of(const JudgeSet& judge) {
  const int64_t most =
      judge.groups_of.empty() ? 0 : *std::max_element(judge.groups_of.begin(), judge.groups_of.end());
  Chances out{most + 1, std::vector<double>(judge.groups_of.size() * static_cast<size_t>(most + 1), nan)};
  const int64_t drawn = groups_drawn(judge);
  for (size_t c = 0; c < judge.groups_of.size(); ++c) {
    const int64_t groups = judge.groups_of[c];
    if (groups == 0) continue;
    const auto chance = chance_to_fire(groups, std::min(groups, drawn));
    std::copy(chance.begin(), chance.end(), out.chance.begin() + static_cast<int64_t>(c) * out.columns);
  }
  return out;
}

/// Which groups fire each latent, on the device.
struct FiringGroups {
  FiringGroups(const sae::DeviceCodes& codes, int64_t latents, const Resampling& resampling)
      : start(*resampling.device, static_cast<size_t>(latents) + 1),
        list(*resampling.device, codes.latent.size()) {
    resampling.device->latent_groups({.n = codes.n,
                                      .keep = codes.k,
                                      .h = latents,
                                      .index = codes.latent.data(),
                                      .value = codes.activation.data(),
                                      .member = resampling.member.data(),
                                      .group = resampling.group.data(),
                                      .start = start.data(),
                                      .list = list.data()});
  }

  device::Buffer<int32_t> start, list;
};

}  // namespace

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

Draws<double> latent_activation_draws(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                      const JudgeSet& judge, const Resampling& resampling) {
  device::Device& device = *resampling.device;
  const FiringGroups firing(codes, sets.latents, resampling);
  const Chances chances = chances_of(judge);
  const device::Buffer<double> chance(device, std::span<const double>(chances.chance));
  DrawsOnDevice<double> total(device, sets.size(), resampling.view());
  device.resample_latents({.of = resampling.view(),
                           .sets = static_cast<int64_t>(sets.size()),
                           .chances = chances.columns,
                           .own = sets.own.data(),
                           .start = sets.start.data(),
                           .latent = sets.latent.data(),
                           .group_start = firing.start.data(),
                           .group_list = firing.list.data(),
                           .chance = chance.data(),
                           .total = total.view()});
  auto out = total.download();
  const auto divide = [&](std::vector<double>& all) {
    const size_t draws = all.size() / sets.size();
    for (size_t i = 0; i < all.size(); ++i) all[i] /= static_cast<double>(sets.count[i / draws]);
  };
  if (sets.size() > 0)
    for (auto* all : {&out.value, &out.bootstrap, &out.permutation}) divide(*all);
  return out;
}

}  // namespace incipit::emergence
