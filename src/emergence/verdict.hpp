#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "emergence/curve.hpp"

namespace incipit::emergence {

/// Why an anchor's dictionary no longer, or not yet, reads a subject at a site (science §7).
enum class Verdict : int {
  none,          ///< nothing to explain
  rescaled,      ///< mean or norm have drifted: the rung `rescaled` restores it
  turned,        ///< the basis has rotated: the rung `aligned` restores it
  outvoted,      ///< the latents' pre-activations still tell the subject, but others win
  recoded,       ///< a linear probe still tells it, this dictionary does not
  lost,          ///< not even a linear probe does
  undetermined,  ///< the intervals do not decide
};
inline constexpr std::array<std::string_view, 7> verdict_names = {
    "", "rescaled", "turned", "outvoted", "recoded", "lost", "undetermined"};

/// What a verdict is made from: the measures where the subject is missing, and where it is there.
struct Evidence {
  std::array<double, rungs> contrast = {nan, nan, nan};  ///< where it is missing, on each rung
  double contrast_there = nan;  ///< on the reading rung, the least of where it is there
  double auc = nan, auc_there = nan;
  double probe_auc = nan, probe_auc_there = nan;
};

struct Judged {
  Verdict verdict = Verdict::none;
  Evidence evidence;
};

/// The subject is missing at the point `missing` and there at the points `there`. The first that holds:
/// `rescaled`, `turned`: on that rung (a reliable one) the contrast is three quarters of the way back from
/// missing to there, and its 95 % interval lies above that of the reading. `outvoted`, `recoded`: the
/// interval of `auc` (on the reading rung), of `probe_auc`, lies above three quarters of the way from ½ to
/// there. `lost`: the interval of `probe_auc` lies below that. Not half the way: a map, which turns and
/// scales, gives an outvoted latent back some of its wins; and what tells all other subjects tells the rest
/// by exclusion, which is half the way where as many subjects are there as are not.
[[nodiscard]] Judged judge_absence(const Curve& curve, std::int32_t subject, std::int64_t missing,
                                   std::span<const std::int64_t> there);

}  // namespace incipit::emergence
