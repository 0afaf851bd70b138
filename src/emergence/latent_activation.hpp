#pragma once

#include <cstdint>
#include <vector>

#include "emergence/groups.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "sae/encode.hpp"

namespace incipit::emergence {

/// For each set M_c the mean over its latents of 1 − C(G−γ_j, m)/C(G, m) (science §5), G = |G_c| and γ_j of
/// them firing j, m = ⌊min_c' |G_c'| / 2⌋, but at least 1. [sets]; NaN for a subject without groups.
Draws<double> latent_activation_draws(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                      const JudgeSet& judge, const Resampling& resampling);

/// 1 − C(G−γ, m)/C(G, m) for γ = 0 … G. m ≤ G.
std::vector<double> chance_to_fire(int64_t groups, int64_t drawn);

}  // namespace incipit::emergence
