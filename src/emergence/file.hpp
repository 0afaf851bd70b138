#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "emergence/attribution.hpp"
#include "emergence/baseline.hpp"
#include "emergence/curve.hpp"
#include "interpret/file.hpp"
#include "match/matching.hpp"
#include "match/subjects.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// A checkpoint as the audit left it.
struct AuditEntry {
  std::string model;
  int64_t step = 0;
  std::string status;  ///< "ok", or what is wrong
  std::string reason;
};

/// One anchor of emergence.h5.
struct AnchorResult {
  std::string name, model;
  int64_t step = 0;
  int64_t layer = 0;
  interpret::Labels labels;
  match::Matches matches;
  std::optional<TokenBaseline> token_baseline;
  std::optional<interpret::Labels> random_weights;  ///< of an SAE at the anchor's place in a random model
  std::vector<Curve> curves;                        ///< gathered
  std::optional<Attribution> attribution = {};      ///< of the space curve
};

/// emergence.h5 in full, but for what Writer's header says.
struct Emergence {
  corpus::Probes probes;
  std::vector<int32_t> tokens;          ///< [probe]
  std::vector<std::string> last_token;  ///< [probe] as the tokenizer spells it
  match::Subjects subjects;
  std::vector<AuditEntry> audit;  ///< empty without an audit
  std::vector<AnchorResult> anchors;
};

/// Writes emergence.h5 as files.md and docs/schema.md say. Every rank passes the same; collective; does not
/// commit.
void write_emergence(store::Writer& writer, const Emergence& result);

}  // namespace incipit::emergence
