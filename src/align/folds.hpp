#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::align {

/// Folds used for every choice made inside the fit part (the rank of a Procrustes map, the ridge of a
/// linear probe).
inline constexpr int folds = 4;

/// A fold in [0, parts) for each row such that rows of one group share a fold: groups are shuffled by
/// `seed` and dealt out in turn. The result depends on the groups and the seed alone.
/// With fewer groups than parts some folds are empty.
std::vector<int32_t> group_folds(std::span<const int32_t> group, int parts, uint64_t seed);

}  // namespace incipit::align
