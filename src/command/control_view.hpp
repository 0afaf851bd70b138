#pragma once

#include <string>
#include <vector>

#include "command/curve_view.hpp"

namespace incipit::command {

/// What the controls say beside one curve of emergence.h5, as far as they are there. Contrasts; NaN where a
/// control has no number.
struct ControlView {
  explicit ControlView(const CurveView& curve);

  /// One control along the curve: [point, subject].
  struct Line {
    std::string name;
    std::vector<double> contrast;
  };
  std::vector<Line> lines;          ///< random latents, untrained (aligned), ceiling, first step, own, seeds
  std::vector<double> random_high;  ///< [point, subject] upper end of the random latents' band; may be empty
  std::vector<double> untrained;    ///< [subject] all made anew with random weights; may be empty

  [[nodiscard]] const Line* find(const std::string& name) const;
};

/// Mean over the subjects that have a number at a point: of values [point, subject].
[[nodiscard]] double mean_over_subjects(const std::vector<double>& values, std::int64_t point,
                                        std::size_t subjects);

}  // namespace incipit::command
