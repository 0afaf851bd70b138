#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "interpret/answers.hpp"
#include "interpret/sheet.hpp"

namespace incipit::interpret {

/// One number about one subject, with its interval.
struct AgreementRow {
  std::string measure;      ///< as `agreement` lists them
  std::string raters;       ///< whose answers: a name, two names joined by " / ", or "all"
  std::string subject;      ///< that the latents match best, "none", or "all" latents
  double value, low, high;  ///< NaN where there is no such number
  int64_t items;            ///< that it rests on
  int64_t latents;          ///< that these belong to
  std::string why;          ///< why value or interval is NaN; empty where they are numbers
};

/// How far people and the teacher agree, for all latents and for those of each subject. Measures:
///
/// | cohen_kappa_teacher | of each rater with the teacher |
/// | cohen_kappa | of each pair of raters |
/// | fleiss_kappa | of all raters, from two on |
/// | fleiss_kappa_teacher | of all raters and the teacher as one more |
/// | f1 | of a rater's answers, with firing as truth: what a person says of the label |
/// | f1_teacher | of the teacher on the same items |
/// | yes_silent | share of yes where the latent is silent |
/// | yes_decoy | share of yes on decoys: the label is another latent's |
/// | cannot_say, missing | shares of all items, decoys among them |
///
/// Kappas, F1 and yes_silent are over the cards with the latent's own label. A kappa takes items that all
/// whom it compares answered with yes or no (Fleiss': those with two such answers); "cannot say" and the
/// teacher's unparsed answers are none. F1 is over items a rater answered, and counts both as wrong, as
/// science §3 does.
///
/// Intervals: 95 %, percentiles over `resamples` bootstrap samples of latents with all their cards, within
/// the subject for a subject's row; samples without such a number are left out. NaN for fewer than two
/// latents. Error data when two of the filled sheets are of one rater.
std::vector<AgreementRow> agreement(const Sheet& sheet, std::span<const Filled> filled, int64_t resamples,
                                    uint64_t seed);

/// Columns measure, raters, subject, value, low, high, items, latents, why. A number that does not exist is
/// NaN.
std::string agreement_csv(std::span<const AgreementRow> rows);

}  // namespace incipit::interpret
