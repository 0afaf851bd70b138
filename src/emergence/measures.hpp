#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "emergence/estimate.hpp"
#include "emergence/groups.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "sae/encode.hpp"

namespace incipit::emergence {

/// The measures of science §5 that each rung has; `probe_auc` belongs to the site and stands apart.
enum class Measure : int { probe_activation, contrast, latent_activation, selectivity, strength, auc };
inline constexpr int measures = 6;
inline constexpr std::array<std::string_view, measures> measure_names = {
    "probe_activation", "contrast", "latent_activation", "selectivity", "strength", "auc"};

/// files.md, `status`. Where several hold, the first of: dropped, no_site, degenerate, no_latent,
/// unreliable, silent. Measures are NaN but for ok, silent (where they are defined) and unreliable.
enum class Status : int8_t {
  ok = 0,
  no_site = 1,
  no_latent = 2,
  silent = 3,
  dropped = 4,
  degenerate = 5,
  unreliable = 6,
};

inline constexpr const char* status_meaning =
    "0 ok, 1 no such site, 2 no matched latent, 3 nothing fires, 4 dropped by the audit, 5 degenerate, "
    "6 unreliable alignment";

/// A measure at a site, for each subject, with the draws of its null.
struct Estimates {
  std::vector<Estimate> subject;  ///< [C]
  std::vector<double> null;       ///< [C, P]; NaN where the value is
};

struct SiteMeasures {
  std::array<Estimates, measures> measure;
  std::vector<double> contrast_draws;  ///< [C, B] the contrast in each resample; NaN where there is none
  std::vector<Status> status;          ///< [C] ok, silent or no_latent

  [[nodiscard]] const Estimates& operator[](Measure m) const { return measure[static_cast<size_t>(m)]; }
};

/// The measures of `count` subjects where there is nothing to measure: NaN, with the reason.
SiteMeasures no_measures(int32_t subjects, int64_t bootstrap, int64_t permutations, Status reason);

/// What an SAE reads at a site, on the device of the resamples.
struct SiteCodes {
  sae::DeviceCodes codes;
  device::Buffer<float> scores;  ///< [sets, n] max over j ∈ M_c of z_j
};
/// `u`: [n, d] of the judged probes in the SAE's input space. Only counts leave the device after this.
SiteCodes encode_site(const sae::Sae& sae, std::span<const float> u, const MatchedSets& sets,
                      const Resampling& resampling);

/// How the latents share the probes.
struct Usage {
  double perplexity = nan;  ///< exp of the entropy of the firings over latents; NaN if nothing fires
  double silent = nan;      ///< share of probes on which nothing fires
  std::vector<double> fire_rate = {};  ///< [h] share of probes on which the latent fires; NaN without probes
};
Usage usage(const sae::DeviceCodes& codes, int64_t latents, const Resampling& resampling);

/// Mean over P_c of Σ_{j∈M_c} a_j at the anchor itself, and its resamples: what `strength` is relative to.
/// A ratio is resampled as a whole, so the anchor's own strength is 1 without an interval.
struct StrengthReference {
  std::vector<double> value;  ///< [sets]
  std::vector<double> draws;  ///< [sets, B]
};
StrengthReference strength_reference(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                     const JudgeSet& judge, const Resampling& resampling);

/// All measures of a rung at a site.
/// An empty M_c gives NaN and no_latent; if nothing of M_c fires on any judge probe, `selectivity` is NaN
/// and the status silent. Intervals and nulls as science §5: percentile (linear between order statistics);
/// resamples without a value are left out.
/// Errors: defect, if codes, sets and probes do not fit together.
SiteMeasures measure_codes(const SiteCodes& site, const MatchedSets& sets, const JudgeSet& judge,
                           const Resampling& resampling, const StrengthReference& reference);

/// AUC of column c of `scores` [n, C] for telling P_c from the rest, with interval and null; NaN for a column
/// with a NaN. Ties count half.
Estimates measure_auc(std::span<const double> scores, const JudgeSet& judge, const Resampling& resampling);

/// Contrast of a classifier: "M_c fires" is "c is predicted". predicted: [n] subject of each judged probe.
Estimates measure_contrast(std::span<const int32_t> predicted, const JudgeSet& judge,
                           const Resampling& resampling);

/// Two measures of every subject for given sets, without intervals: [C], NaN for an empty M_c.
struct BareShares {
  std::vector<double> probe_activation, contrast;
};
BareShares bare_shares(const sae::DeviceCodes& codes, const MatchedSets& sets, const JudgeSet& judge,
                       const Resampling& resampling);

/// probe_activation alone.
std::vector<double> probe_activation(const sae::DeviceCodes& codes, const MatchedSets& sets,
                                     const JudgeSet& judge, const Resampling& resampling);
/// The same for several: [sets, C].
std::vector<double> probe_activation(const sae::DeviceCodes& codes, const std::vector<MatchedSets>& several,
                                     const JudgeSet& judge, const Resampling& resampling);

}  // namespace incipit::emergence
