#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace incipit::emergence {

/// Deck section [track].
struct TrackOptions {
  int64_t bootstrap = 1000;     ///< resamples of groups behind every interval; 0: no intervals
  int64_t permutations = 1000;  ///< permutations of subjects behind every null; 0: no nulls
};

/// Deck section [controls]: what stands beside every headline (science §6). The token baseline is always
/// there.
struct ControlOptions {
  int64_t random_latents = 20;          ///< draws of random latents in the place of the matched ones; 0: none
  bool ceiling = true;                  ///< the anchor cut to the dimensions of each model of a scale curve
  std::string random_weights = "none";  ///< none | labels | curves
  bool first_step = false;              ///< a dictionary of the first step, carried along time
  std::vector<std::string> own_anchor = {};  ///< curves at each of whose sites a dictionary is made anew
  bool seeds = true;                         ///< the spread over further seeds, where there are any
};

}  // namespace incipit::emergence
