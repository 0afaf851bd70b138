#pragma once

#include <array>

#include "align/drift.hpp"

namespace incipit::emergence {

/// The numbers of a drift as files.md names them.
struct DriftColumn {
  const char* name;
  const char* meaning;
  double align::Drift::*value;
};

inline constexpr std::array<DriftColumn, 4> drift_columns = {{
    {"cka", "linear CKA with the point before, unbiased HSIC", &align::Drift::cka},
    {"residual", "Procrustes residual against the point before, by its spread", &align::Drift::residual},
    {"cosine", "mean cosine of a probe's vector with that at the point before; NaN where widths differ",
     &align::Drift::cosine},
    {"norm_ratio", "mean norm by that at the point before", &align::Drift::norm_ratio},
}};

inline constexpr const char* loss_meaning =
    "mean next-token loss of the probes under the point's checkpoint, of a predicted token";
inline constexpr const char* loss_drift_meaning = "next-token loss less that at the point before";

}  // namespace incipit::emergence
