#pragma once

#include <cstdint>
#include <string>

namespace incipit::sae {

/// The deck's [sae] section. `deck` fills it; the defaults stand here and nowhere else.
struct SaeOptions {
  std::int64_t latents = 512;   ///< h, the number of latents
  std::int64_t k = 1;           ///< latents kept per probe, 1..h
  std::int64_t steps = 3000;    ///< optimizer steps
  std::int64_t batch = 256;     ///< probes per step; cut to the size of the fit part
  std::int64_t seeds = 1;       ///< SAEs trained per anchor, with seeds run.seed, run.seed + 1, …
  std::string init = "data";    ///< "data" or "random": where the rows of the decoder start (science §2)
  std::int64_t dead_after = 0;  ///< samples without firing; 0: two passes over the fit part
};

/// Error(Exit::usage) naming the key, what it holds and what it may hold, when an option is out of range
/// (k > h among them).
void check(const SaeOptions& options);

}  // namespace incipit::sae
