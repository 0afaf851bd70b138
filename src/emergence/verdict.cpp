#include "emergence/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "index.hpp"

namespace incipit::emergence {
namespace {

/// The least of what `of` says of points; NaN if one is.
template <class F>
double least(std::span<const std::int64_t> points, const F& of) {
  double out = std::numeric_limits<double>::infinity();
  for (const std::int64_t point : points) {
    const double value = of(point);
    if (std::isnan(value)) return nan;
    out = std::min(out, value);
  }
  return points.empty() ? nan : out;
}

double most_of_the_way(double from, double to) {
  return from + 0.75 * (to - from);
}

/// Whether a rung reads what the reading rung misses.
bool restores(const Curve& curve, Rung rung, std::int32_t subject, std::int64_t point, double there) {
  const Rung reading = reading_rung(curve.name());
  if (rung == reading || curve.status(rung, point, subject) != Status::ok) return false;
  const Estimate missed = curve.estimate(Measure::contrast, reading, point, subject);
  const Estimate found = curve.estimate(Measure::contrast, rung, point, subject);
  return found.value >= most_of_the_way(missed.value, there) && found.low > missed.high;
}

}  // namespace

Judged judge_absence(const Curve& curve, std::int32_t subject, std::int64_t missing,
                     std::span<const std::int64_t> there) {
  const Rung reading = reading_rung(curve.name());
  Judged out;
  Evidence& seen = out.evidence;
  for (int r = 0; r < rungs; ++r)
    seen.contrast[at(r)] = curve.estimate(Measure::contrast, static_cast<Rung>(r), missing, subject).value;
  const auto value = [&](Measure measure) {
    return [&curve, reading, subject, measure](std::int64_t p) {
      return curve.estimate(measure, reading, p, subject).value;
    };
  };
  const Estimate auc = curve.estimate(Measure::auc, reading, missing, subject);
  const Estimate probe = curve.probe_auc(missing, subject);
  seen.contrast_there = least(there, value(Measure::contrast));
  seen.auc = auc.value;
  seen.auc_there = least(there, value(Measure::auc));
  seen.probe_auc = probe.value;
  seen.probe_auc_there = least(there, [&](std::int64_t p) { return curve.probe_auc(p, subject).value; });

  const double known = most_of_the_way(0.5, seen.probe_auc_there);
  if (restores(curve, Rung::rescaled, subject, missing, seen.contrast_there)) {
    out.verdict = Verdict::rescaled;
  } else if (restores(curve, Rung::aligned, subject, missing, seen.contrast_there)) {
    out.verdict = Verdict::turned;
  } else if (auc.low > most_of_the_way(0.5, seen.auc_there)) {
    out.verdict = Verdict::outvoted;
  } else if (probe.low > known) {
    out.verdict = Verdict::recoded;
  } else if (probe.high < known) {
    out.verdict = Verdict::lost;
  } else {
    out.verdict = Verdict::undetermined;
  }
  return out;
}

}  // namespace incipit::emergence
