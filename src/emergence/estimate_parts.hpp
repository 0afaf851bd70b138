#pragma once

#include <array>
#include <span>

#include "emergence/estimate.hpp"

namespace incipit::emergence {

/// The numbers of an estimate as files.md names them: MEASURE + suffix.
struct EstimatePart {
  const char* suffix;
  const char* meaning;
  double Estimate::*value;
};

inline constexpr std::array<EstimatePart, 7> estimate_parts = {{
    {"", "", &Estimate::value},
    {"_low", ", lower end of the 95 % interval", &Estimate::low},
    {"_high", ", upper end of the 95 % interval", &Estimate::high},
    {"_null_mean", ", mean under permuted subjects", &Estimate::null_mean},
    {"_null_low", ", lower end of the 95 % band under permuted subjects", &Estimate::null_low},
    {"_null_high", ", upper end of the 95 % band under permuted subjects", &Estimate::null_high},
    {"_p", ", one-sided p against permuted subjects", &Estimate::p},
}};

/// Those of an estimate that was resampled but has no null.
inline constexpr auto interval_parts = std::span(estimate_parts).first<3>();

inline constexpr std::array<const char*, 6> measure_meanings = {
    "share of the subject's probes on which a matched latent fires",
    "probe_activation less the mean over the other subjects",
    "chance that a matched latent fires in groups drawn from the subject",
    "share of the class-balanced firing that is the subject's",
    "activation of the matched latents, relative to the anchor's",
    "area under the ROC curve of the largest matched pre-activation",
};
inline constexpr const char* probe_auc_meaning = "area under the ROC curve of a linear probe of the subject";
inline constexpr const char* null_max_meaning =
    ", 95 % point of the maxima over the curve under permuted subjects";

}  // namespace incipit::emergence
