#pragma once

#include <cstdint>
#include <vector>

#include "command/session.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "sae/sae.hpp"

namespace incipit::command {

/// The probes that are judged, with the resamples of `track` and without its permutations.
struct Judged {
  explicit Judged(const Session& session);

  std::vector<std::int64_t> probes;  ///< by their place in the deck's order
  emergence::JudgeSet set;
  emergence::Resampling resampling;
};

/// An anchor's dictionary and the latents that speak of each subject, from their files.
struct MatchedDictionary {
  MatchedDictionary(const Session& session, std::size_t anchor);

  sae::Sae sae;
  emergence::Matched matched;
};

}  // namespace incipit::command
