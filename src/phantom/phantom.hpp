#pragma once

#include <filesystem>

#include "phantom/plan.hpp"
#include "store/schema.hpp"

namespace incipit::phantom {

/// What was written, for the one who asked.
struct Summary {
  int64_t checkpoints = 0, probes = 0, planted = 0, dips = 0;
};

/// Writes a family whose truth is known: folder/{family/MODEL/stepN/…, family/tokenizer.json, probes.jsonl,
/// subjects.json, phantom.ini, truth.h5}. The same options make the same bytes, but for the date in truth.h5.
/// `header` says of truth.h5 what its writer knows of program and machine. Error usage for sizes that do not
/// go together, and for a folder that holds something; Error io when writing fails.
Summary write_phantom(const std::filesystem::path& folder, const Options& options, store::Header header);

}  // namespace incipit::phantom
