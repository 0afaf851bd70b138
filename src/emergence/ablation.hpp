#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "emergence/estimate.hpp"
#include "emergence/groups.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/measures.hpp"
#include "emergence/resampling.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// A measure at a site as it is, and as it is after something was done to the model; `difference` is after
/// less before, its interval from the same resamples of both. NaN where there is none.
struct Change {
  Estimate before, after, difference;
};

/// Of each subject.
struct SiteChange {
  std::vector<Change> contrast, auc;  ///< [C]
};

/// `before` and `after`: what the SAE reads at the site.
SiteChange site_change(const SiteCodes& before, const SiteCodes& after, const MatchedSets& sets,
                       const JudgeSet& judge, const Resampling& resampling);

/// What became of a subject's concept at the layers from a component's own on, when that component added the
/// same to all probes (science §10).
struct Ablation {
  int64_t component = 0;              ///< as in Attribution
  std::vector<int64_t> layer;         ///< [point]
  std::vector<std::string> subjects;  ///< [subject]
  std::vector<Change> contrast, auc;  ///< [point, subject]
};

/// Datasets of a file of its own, as docs/schema.md says. Collective.
void write_ablation(store::Writer& writer, const Ablation& ablation);
/// Of a file of kind "ablation". Errors as store::Reader.
Ablation read_ablation(const std::filesystem::path& path, int64_t component);

inline constexpr const char* before_meaning = " of the model as it is";
inline constexpr const char* after_meaning = " with the component's output replaced by its mean over probes";
inline constexpr const char* difference_meaning = ", replaced less as it is";

}  // namespace incipit::emergence
