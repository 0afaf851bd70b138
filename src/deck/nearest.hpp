#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace incipit::deck {

/// Levenshtein distance in bytes, with a swap of neighbouring bytes counted as one edit.
int edit_distance(std::string_view a, std::string_view b);

/// The member of `known` that `word` most likely meant, or empty when none is near. Dotted names are
/// compared whole and, at a small price, by their last part alone: `train.latents` means `sae.latents`.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace incipit::deck
