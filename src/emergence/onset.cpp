#include "emergence/onset.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "index.hpp"

namespace incipit::emergence {
namespace {

bool stays_above(std::span<const double> y, std::size_t point, double bound) {
  const auto next = y.subspan(point, std::min<std::size_t>(3, y.size() - point));
  return std::all_of(next.begin(), next.end(), [bound](double v) { return v >= bound; });
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// The height that fits best for a middle and a width, and what is left then.
struct Profile {
  double height, rest;
};
Profile profile(std::span<const double> x, std::span<const double> y, double middle, double width) {
  double sy = 0, ss = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double s = sigmoid((x[i] - middle) / width);
    sy += s * y[i];
    ss += s * s;
  }
  const double height = ss > 0 ? sy / ss : 0;
  double rest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double gap = y[i] - height * sigmoid((x[i] - middle) / width);
    rest += gap * gap;
  }
  return {height, rest};
}

}  // namespace

Onset find_onset(std::span<const double> x, std::span<const double> y) {
  Onset onset;
  if (y.empty()) return onset;
  const auto last = y.last(std::min<std::size_t>(3, y.size()));
  onset.level = std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size());
  if (!(onset.level > 0)) return onset;
  const double half = onset.level / 2;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if ((i > 0 && y[i - 1] >= half) || !stays_above(y, i, half)) continue;
    onset.point = static_cast<std::int64_t>(i);
    onset.place = i == 0 ? x[0] : x[i - 1] + (x[i] - x[i - 1]) * (half - y[i - 1]) / (y[i] - y[i - 1]);
    break;
  }
  return onset;
}

Logistic fit_logistic(std::span<const double> x, std::span<const double> y, const Onset& onset) {
  if (onset.point < 0) return {};
  const auto rising = std::count_if(y.begin(), y.end(),
                                    [&](double v) { return v > 0.1 * onset.level && v < 0.9 * onset.level; });
  if (rising < rise_points) return {};
  const double span = x.back() - x.front(), narrowest = std::log(span / 1000), widest = std::log(span);
  // Search by halving steps from the crossing: two numbers, no derivatives to go wrong on steep rises.
  double middle = onset.place, log_width = std::log(span / 10);
  double step_middle = span / 8, step_width = 1;
  Profile best = profile(x, y, middle, std::exp(log_width));
  while (step_middle > 1e-6 * span) {
    bool better = false;
    for (const auto& [dm, dw] : std::array<std::array<double, 2>, 8>{
             {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}}}) {
      const double m = middle + dm * step_middle, w = log_width + dw * step_width;
      if (m < x.front() || m > x.back() || w < narrowest || w > widest) continue;
      const Profile tried = profile(x, y, m, std::exp(w));
      if (!(tried.rest < best.rest)) continue;
      best = tried;
      middle = m;
      log_width = w;
      better = true;
      break;
    }
    if (better) continue;
    step_middle /= 2;
    step_width /= 2;
  }
  return {best.height, middle, std::exp(log_width)};
}

}  // namespace incipit::emergence
