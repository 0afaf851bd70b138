#pragma once

#include <cstdint>

namespace incipit::emergence {

/// Deck section [track].
struct TrackOptions {
  int64_t bootstrap = 1000;     ///< resamples of groups behind every interval; 0: no intervals
  int64_t permutations = 1000;  ///< permutations of subjects behind every null; 0: no nulls
};

}  // namespace incipit::emergence
