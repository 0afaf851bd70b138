#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "emergence/attribution.hpp"
#include "emergence/baseline.hpp"
#include "emergence/curve.hpp"
#include "emergence/random_latents.hpp"
#include "emergence/seeds.hpp"
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

/// What was labelled for a control of an anchor: random_weights, first_step.
struct ControlDictionary {
  std::string control;
  interpret::Labels labels;
  match::Matches matches;
};

/// A curve that stands beside an anchor's own, gathered.
struct ControlCurve {
  std::string place;  ///< below the anchor: "controls/ceiling/curves", "curves" for one named own_CURVE
  Curve curve;
  std::vector<int64_t> matched;  ///< [point, C] |M_c| of the dictionary that reads the point
};

/// One anchor of emergence.h5.
struct AnchorResult {
  std::string name, model;
  int64_t step = 0;
  int64_t layer = 0;
  interpret::Labels labels;
  match::Matches matches;
  std::optional<TokenBaseline> token_baseline = {};
  std::vector<Curve> curves = {};  ///< gathered, as are all that follow
  std::vector<ControlDictionary> dictionaries = {};
  std::vector<ControlCurve> control_curves = {};
  std::vector<RandomLatents> random_latents = {};  ///< one for each curve, or none
  std::vector<double> matched_fire_rate = {};      ///< [C] Σ over M_c, of the fit part
  std::int64_t seed = 0;                           ///< of the anchor's own SAE
  std::vector<SeedCurve> seeds = {};               ///< of further SAEs
  std::optional<Attribution> attribution = {};     ///< of the space curve
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
