#include "emergence/tau_sweep.hpp"

#include <algorithm>
#include <cmath>

namespace incipit::emergence {
namespace {

constexpr double rounding = 1e-9;  // thresholds are decimal fractions

/// What a subject's probe_activation at one place does between two thresholds.
void keep_if_more(HangsOnTau& most, const TauSweep::Along& curve, const char* place, double a, double b) {
  const double low = std::min(a, b), high = std::max(a, b), move = high - low;
  const bool another_story = move > tau_step + rounding || (move > tau_half + rounding && low < high / 2);
  if (!another_story || move <= most.high - most.low) return;
  most.curve = curve.curve;
  most.place = place;
  most.low = low;
  most.high = high;
}

}  // namespace

bool TauSweep::nearby(std::size_t t) const {
  return std::abs(tau[t] - used) <= tau_nearby + rounding;
}

double TauSweep::at_point(const Along& curve, std::size_t t, std::size_t point, std::size_t subject) const {
  const double found = curve.probe_activation[(t * curve.points.size() + point) * subjects.size() + subject];
  return std::isnan(found) ? 0 : found;
}

double TauSweep::largest(const Along& curve, std::size_t t, std::size_t subject) const {
  double most = 0;
  for (std::size_t p = 0; p < curve.points.size(); ++p) most = std::max(most, at_point(curve, t, p, subject));
  return most;
}

std::vector<HangsOnTau> hanging_on_tau(const TauSweep& sweep) {
  std::vector<std::size_t> near;
  for (std::size_t t = 0; t < sweep.tau.size(); ++t)
    if (sweep.nearby(t)) near.push_back(t);
  std::vector<HangsOnTau> found;
  if (near.empty()) return found;
  // A higher threshold matches fewer latents, and fewer fire no more often: the ends say it all.
  const std::size_t low = near.front(), high = near.back();
  for (std::size_t c = 0; c < sweep.subjects.size(); ++c) {
    HangsOnTau one{.subject = c,
                   .most = sweep.matched[low * sweep.subjects.size() + c],
                   .fewest = sweep.matched[high * sweep.subjects.size() + c]};
    for (const auto& curve : sweep.curves) {
      if (curve.points.empty()) continue;
      const std::size_t last = curve.points.size() - 1;
      keep_if_more(one, curve, "first", sweep.at_point(curve, low, 0, c), sweep.at_point(curve, high, 0, c));
      keep_if_more(one, curve, "last", sweep.at_point(curve, low, last, c),
                   sweep.at_point(curve, high, last, c));
      keep_if_more(one, curve, "largest", sweep.largest(curve, low, c), sweep.largest(curve, high, c));
    }
    if (!one.curve.empty() || (one.fewest == 0 && one.most > 0)) found.push_back(one);
  }
  return found;
}

}  // namespace incipit::emergence
