#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/rows.hpp"

namespace incipit::emergence {

/// Scores of a ridge classifier of the subject (science §5, `probe_auc`): one against the rest, least squares
/// on 0/1 targets, centred, trained on fit; [judge.n, subjects]. The ridge is λ = γ·N·v, v the mean variance
/// of a dimension, with γ ∈ {10⁻⁴ … 10¹} the one with the best mean AUC over subjects on held-out group folds
/// of the fit part (the larger of equals). fp64; the kernel form where there are fewer probes than
/// dimensions. A subject absent from fit, or a site without variance, gives NaN. Errors: numbers, if rows are
/// not finite.
std::vector<double> probe_scores(align::Rows fit, std::span<const int32_t> fit_subject,
                                 std::span<const int32_t> fit_group, align::Rows judge, int32_t subjects,
                                 uint64_t seed);

}  // namespace incipit::emergence
