#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/resampling.hpp"
#include "sae/encode.hpp"

namespace incipit::emergence {

/// Which groups fire each latent.
struct LatentGroups {
  std::vector<int64_t> start;  ///< [h+1] into group
  std::vector<int32_t> group;  ///< ascending within a latent, each once
};
LatentGroups latent_groups(const sae::Codes& codes, int64_t latents, const JudgeSet& judge);

struct LatentActivationDraws {
  double value;
  std::vector<double> bootstrap, permutation;
};

/// Mean over the latents of a set of 1 − C(G−γ_j, m)/C(G, m) (science §5), G = |G_c| and γ_j of them firing
/// j, m = ⌊min_c' |G_c'| / 2⌋, but at least 1. NaN for an empty set or a subject without groups.
LatentActivationDraws latent_activation_draws(const LatentGroups& firing, std::span<const int32_t> latents,
                                              int32_t subject, const JudgeSet& judge,
                                              const Resampling& resampling);

/// 1 − C(G−γ, m)/C(G, m) for γ = 0 … G. m ≤ G.
std::vector<double> chance_to_fire(int64_t groups, int64_t drawn);

}  // namespace incipit::emergence
