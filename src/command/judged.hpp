#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "align/drift.hpp"
#include "command/session.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "match/file.hpp"
#include "sae/sae.hpp"

namespace incipit::command {

/// The entries of a list that has one for each probe, of these probes.
template <class T>
std::vector<T> chosen(const std::vector<T>& all, const std::vector<std::int64_t>& which) {
  std::vector<T> out;
  for (const auto i : which) out.push_back(all[static_cast<std::size_t>(i)]);
  return out;
}

/// The probes that are judged, with one set of resamples and permutations for all sites.
struct Judged {
  Judged(const Session& session, const emergence::TrackOptions& draws);

  std::vector<std::int64_t> probes;  ///< by their place in the deck's order
  std::vector<std::string> texts;
  emergence::JudgeSet set;
  emergence::Resampling resampling;
};

/// The draws of `track` without its permutations.
[[nodiscard]] emergence::TrackOptions resamples_alone(const deck::Deck& deck);

/// Both parts that numbers of a site are made from.
struct Bench : Judged {
  explicit Bench(const Session& session);

  std::vector<std::int64_t> fit;
  std::vector<std::int32_t> fit_subject, fit_group, judge_group;
  std::vector<std::string> fit_texts;
};

/// The residuals of a site's fit and judge part.
struct SiteRows {
  SiteRows(const Session& session, const Bench& bench, const Site& site);

  [[nodiscard]] align::Parts parts() const;

  std::vector<float> fit, judge;
  std::int64_t width;
};

/// A dictionary's SAE, from its file.
[[nodiscard]] sae::Sae read_sae(const Session& session, std::size_t dictionary);

/// A dictionary and the latents that speak of each subject, from their files.
struct MatchedDictionary {
  MatchedDictionary(const Session& session, std::size_t dictionary);

  sae::Sae sae;
  match::MatchFile match;
  emergence::Matched matched;
};

}  // namespace incipit::command
