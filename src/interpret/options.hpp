#pragma once

#include <cstdint>
#include <string>

namespace incipit::interpret {

/// The deck's section [interpret].
struct InterpretOptions {
  std::string teacher = "lexical";  ///< who labels and verifies
  double f1 = 0.9;                  ///< a latent counts as interpretable from this F1 on (0..1)
  std::string control = "none";     ///< what labels are compared with: none | random-weights
  int64_t min_support = 10;         ///< firing verify probes below which a latent is `unsupported`
};

}  // namespace incipit::interpret
