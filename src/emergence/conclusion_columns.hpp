#pragma once

#include <array>

#include "emergence/conclusions.hpp"

namespace incipit::emergence {

/// The numbers of a conclusion as its file names them.
struct ConclusionColumn {
  const char* name;
  const char* meaning;
  double (*value)(const Conclusion&);
};

inline constexpr std::array<ConclusionColumn, 23> conclusion_columns = {{
    {"level", "final contrast, mean of the last three points",
     [](const Conclusion& c) { return c.level.value; }},
    {"level_low", "lower end of the level's 95 % interval", [](const Conclusion& c) { return c.level.low; }},
    {"level_high", "upper end of the level's 95 % interval",
     [](const Conclusion& c) { return c.level.high; }},
    {"level_null_mean", "mean level under permuted subjects",
     [](const Conclusion& c) { return c.level.null_mean; }},
    {"level_null_low", "lower end of the level's 95 % band under permuted subjects",
     [](const Conclusion& c) { return c.level.null_low; }},
    {"level_null_high", "upper end of the level's 95 % band under permuted subjects",
     [](const Conclusion& c) { return c.level.null_high; }},
    {"p", "one-sided p of the level against permuted subjects",
     [](const Conclusion& c) { return c.level.p; }},
    {"q", "the same after Benjamini and Hochberg", [](const Conclusion& c) { return c.q; }},
    {"onset", "where the line between the ends of the bracket crosses half the level",
     [](const Conclusion& c) { return c.onset; }},
    {"onset_low",
     "lower end of the onset's bracket: the last point before the rise for good; NaN: there at the first",
     [](const Conclusion& c) { return c.onset_low; }},
    {"onset_high", "upper end of the onset's bracket: the first point of the rise for good",
     [](const Conclusion& c) { return c.onset_high; }},
    {"onset_early", "lower end of the onset's 95 % interval",
     [](const Conclusion& c) { return c.onset_early; }},
    {"onset_late", "upper end of the onset's 95 % interval",
     [](const Conclusion& c) { return c.onset_late; }},
    {"rank", "rank of the onset among the subjects present, 1 the first",
     [](const Conclusion& c) { return c.rank; }},
    {"rank_low", "lower end of the rank's 95 % interval", [](const Conclusion& c) { return c.rank_low; }},
    {"rank_high", "upper end of the rank's 95 % interval", [](const Conclusion& c) { return c.rank_high; }},
    {"middle", "middle of a logistic rise, where three points lie on it",
     [](const Conclusion& c) { return c.middle; }},
    {"middle_low", "lower end of the middle's 95 % interval",
     [](const Conclusion& c) { return c.middle_low; }},
    {"middle_high", "upper end of the middle's 95 % interval",
     [](const Conclusion& c) { return c.middle_high; }},
    {"width", "width of the logistic rise, in doublings (in layers along space)",
     [](const Conclusion& c) { return c.width; }},
    {"dip", "depth of the deepest fall; positive in noise too",
     [](const Conclusion& c) { return c.deepest.depth; }},
    {"dip_p", "p of its depth against the best curve without falls",
     [](const Conclusion& c) { return c.deepest.p; }},
    {"dip_q", "the same after Benjamini and Hochberg", [](const Conclusion& c) { return c.dip_q; }},
}};

/// Along scale an onset is a threshold.
struct ThresholdColumn {
  const char* name;
  const char* meaning;
  double Conclusion::*value;
};
inline constexpr std::array<ThresholdColumn, 2> threshold_columns = {{
    {"threshold_low", "parameters of the largest model below the threshold; along scale",
     &Conclusion::onset_low},
    {"threshold_high", "parameters of the smallest model above the threshold; along scale",
     &Conclusion::onset_high},
}};
inline constexpr const char* present_meaning =
    "1 if the level's interval lies above 0 and q is at most 0.05: what follows of onsets is said of these";
inline constexpr const char* earlier_meaning =
    "share of resamples in which the subject's onset comes before the other's, ties counting half";
inline constexpr const char* order_meaning = "p of all onsets being one place";
inline constexpr const char* dip_rung_meaning =
    "why it is not read at the bottom of its deepest fall: rescaled, turned, outvoted, recoded, lost, "
    "undetermined; empty where no fall is called";
inline constexpr const char* onset_rung_meaning =
    "why it is not read at the last point before its onset; empty without one";

inline constexpr const char* erased_by_meaning =
    "components that wrote against it between shoulder and bottom, the strongest first; empty without "
    "attribution";
inline constexpr const char* written_by_meaning =
    "components that wrote for it between bottom and shoulder, the strongest first; empty without "
    "attribution";

/// The evidence of a verdict.
struct EvidenceColumn {
  const char* name;
  const char* meaning;
  double Evidence::*value;
};

inline constexpr std::array<EvidenceColumn, 5> evidence_columns = {{
    {"contrast_there", "contrast where the subject is there, on the rung on which the curve is read",
     &Evidence::contrast_there},
    {"auc", "auc where it is missing", &Evidence::auc},
    {"auc_there", "auc where it is there", &Evidence::auc_there},
    {"probe_auc", "probe_auc where it is missing", &Evidence::probe_auc},
    {"probe_auc_there", "probe_auc where it is there", &Evidence::probe_auc_there},
}};

}  // namespace incipit::emergence
