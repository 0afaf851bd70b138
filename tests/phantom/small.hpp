#pragma once

#include "phantom/plan.hpp"

namespace incipit::phantom {

/// The least that has every kind of dip.
inline Options small(uint64_t seed) {
  Options options;
  options.seed = seed;
  options.models = 2;
  options.width = 48;
  options.layers = 5;
  options.steps = 14;
  options.subjects = 6;
  options.never = 2;
  options.terms = 8;
  options.probes = 1;
  options.nuisances = 2;
  return options;
}

}  // namespace incipit::phantom
