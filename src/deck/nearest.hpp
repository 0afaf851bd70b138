#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace incipit::deck {

/// The member of `known` that `word` most likely meant, or empty when none is near. Dotted names are
/// compared whole and, at a small price, by their last part alone: `train.latents` means `sae.latents`.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace incipit::deck
