#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emergence/attribution.hpp"
#include "emergence/curve.hpp"
#include "emergence/dips.hpp"
#include "emergence/verdict.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// What is called, is called at this rate of errors: of false discoveries over the subjects.
inline constexpr double called_at = 0.05;

/// A fall of less contrast is none that a concept disappears in, however sure it is.
inline constexpr double least_fall = 0.1;

/// What a curve says of a subject (science §9), on its contrast. Places are in units of the axis: steps,
/// parameters, layers. NaN where there is no such thing.
struct Conclusion {
  Estimate level;        ///< final contrast: mean of the last three points with a value
  double q = nan;        ///< its p among those of all subjects (Benjamini and Hochberg)
  bool present = false;  ///< the interval of the level lies above 0, and q ≤ called_at
  double onset = nan;    ///< where the line between the bracket's ends crosses half the level
  double onset_low = nan,
         onset_high = nan;  ///< the bracket: last point before, first point of the rise for good
  double onset_early = nan, onset_late = nan;          ///< 95 % interval of `onset` over the resamples
  double rank = nan, rank_low = nan, rank_high = nan;  ///< of the onset among those present, from 1
  double middle = nan, middle_low = nan,
         middle_high = nan;  ///< of a logistic curve, where the rise has a shape
  double width = nan;        ///< its width, in units of the abscissa
  Judged before;             ///< why it is not read at the last point before the onset
  Dip deepest;               ///< of the points with a value
  double dip_q = nan;
};

/// A fall that is called, with what explains it. Places are points of the curve.
struct CalledDip {
  std::int32_t subject = 0;
  Dip dip;
  Judged judged;
};

struct Conclusions {
  std::vector<Conclusion> subject;  ///< [C]
  std::vector<CalledDip> dips;      ///< by subject, then along the curve
  std::vector<double> earlier;      ///< [C, C] share of resamples in which the first rises before the second
  double order_p = nan;             ///< of all onsets being the same
};

/// Fits logistic curves to the resamples of every `parts`-th of the subjects that rise, from the part-th on,
/// and keeps their middles in the curve, which concludes and is gathered. This is what takes long of
/// conclusions; `conclude` does it for subjects that it finds without middles. Returns how many rise so that
/// a curve can be fitted.
int find_middles(Curve& curve, int part, int parts);

/// Of a curve that concludes. `home`: the point of the curve at which the anchor lies, −1 if none does.
[[nodiscard]] Conclusions conclude(const Curve& curve, std::int64_t home);

/// Below `group` ("anchors/time/curves/time/conclusions"). `attribution`: of the same points, or null; each
/// dip is then told with those who erased and who wrote the concept again. Collective.
void write_conclusions(store::Writer& writer, const std::string& group, const Curve& curve,
                       const Conclusions& found, const std::vector<std::string>& subjects,
                       const Attribution* attribution = nullptr);

}  // namespace incipit::emergence
