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

/// Whether a rung reads what the reading rung misses.
bool restores(const Curve& curve, Rung rung, std::int32_t subject, std::int64_t point, double there) {
  const Rung reading = reading_rung(curve.name());
  if (rung == reading || curve.status(rung, point, subject) != Status::ok) return false;
  const Estimate missed = curve.estimate(Measure::contrast, reading, point, subject);
  const Estimate found = curve.estimate(Measure::contrast, rung, point, subject);
  return found.value >= (missed.value + there) / 2 && found.low > missed.high;
}

/// Three quarters of the way from knowing nothing to what is known where the subject is there.
double still_known(double there) {
  return 0.5 + 0.75 * (there - 0.5);
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

  const double known = still_known(seen.probe_auc_there);
  if (restores(curve, Rung::rescaled, subject, missing, seen.contrast_there)) {
    out.verdict = Verdict::rescaled;
  } else if (auc.low > still_known(seen.auc_there)) {
    out.verdict = Verdict::outvoted;
  } else if (restores(curve, Rung::aligned, subject, missing, seen.contrast_there)) {
    out.verdict = Verdict::turned;
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
