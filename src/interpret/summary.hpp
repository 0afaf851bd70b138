#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "interpret/autointerp.hpp"

namespace incipit::interpret {

/// How a teacher did on all latents of an anchor. Means and shares are NaN where nothing was judged.
struct Summary {
  std::array<int64_t, 4> latents{};  ///< by Status
  int64_t judged = 0;                ///< latents
  int64_t answers = 0, unparsed = 0;
  double f1 = 0, f1_always_yes = 0, f1_coin = 0;  ///< means over the judged latents
  double yes = 0;                                 ///< share of yes among the answers that could be read
};

[[nodiscard]] Summary summarize(std::span<const LatentLabel> labels);

/// What makes a teacher's labels worthless whatever their F1: that it says yes, or no, to almost everything,
/// or that most of its answers cannot be read. Half of the texts fire, so an attentive teacher says yes to
/// about half of them.
[[nodiscard]] std::vector<std::string> warnings(const Summary& summary);

}  // namespace incipit::interpret
