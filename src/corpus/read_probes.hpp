#pragma once

#include <vector>

#include "corpus/probes.hpp"

namespace incipit::corpus {

/// What the files hold, before any choice.
struct RawProbes {
  std::vector<Probe> all;
  std::vector<ProbeFile> files;
};

/// Reads the probes of one of the formats. Errors as load_probes.
[[nodiscard]] RawProbes read_probes(const ProbeOptions& options);

}  // namespace incipit::corpus
