#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::sae {

/// Mean and scale of an anchor's fit part (science §2).
struct Normalisation {
  std::vector<float> mean;  ///< d
  float scale = 1;          ///< s, with E‖x − μ‖² = s²·d
};

/// x: n×d residuals. Error(Exit::data) for fewer than two rows or no variance, Error(Exit::numbers) naming
/// the first row that holds a non-finite number.
Normalisation normalisation(std::span<const float> x, std::int64_t d);

}  // namespace incipit::sae
