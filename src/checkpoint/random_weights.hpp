#pragma once

#include <cstdint>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"

namespace incipit::checkpoint {

/// A GPT-NeoX of this shape before any training, its numbers drawn as they are read: what a model's shape
/// alone makes of texts. Drawn as GPT-NeoX starts: biases 0, layer norms 1; the matrices that write to the
/// residual stream normal with standard deviation 2 / (L √d) (B. Wang, A. Komatsuzaki, GPT-J), all others
/// with √(2 / (5 d)) (T. Nguyen, J. Salazar, arXiv 1910.05895). Every row is a stream of its own of (seed,
/// tensor, row), so that the same numbers come whatever is read in which order.
[[nodiscard]] Weights random_weights(const Config& config, uint64_t seed);

}  // namespace incipit::checkpoint
