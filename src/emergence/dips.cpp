#include "emergence/dips.hpp"

#include <algorithm>
#include <cmath>

#include "emergence/unimodal.hpp"
#include "index.hpp"

namespace incipit::emergence {
namespace {

/// For each place, where the highest value from it to the end is; the last of equals.
std::vector<std::int64_t> highest_behind(std::span<const double> y) {
  std::vector<std::int64_t> place(y.size());
  for (std::size_t i = y.size(); i-- > 0;) {
    place[i] = static_cast<std::int64_t>(i);
    if (i + 1 < y.size() && !(y[i] > y[at(place[i + 1])])) place[i] = place[i + 1];
  }
  return place;
}

std::vector<double> without_falls(std::span<const double> y, FallRule rule) {
  return rule == FallRule::between_shoulders ? unimodal(y) : non_increasing(y);
}

/// Some columns of [B, points].
std::vector<double> columns(std::span<const double> draws, std::size_t points, std::size_t begin,
                            std::size_t end) {
  std::vector<double> out;
  for (std::size_t row = 0; row < draws.size(); row += points)
    out.insert(out.end(), draws.begin() + static_cast<std::ptrdiff_t>(row + begin),
               draws.begin() + static_cast<std::ptrdiff_t>(row + end));
  return out;
}

void find_between(std::span<const double> y, std::span<const double> draws, FallRule rule, double level,
                  std::int64_t offset, std::vector<Dip>& found) {
  Dip dip = test_dip(y, draws, rule);
  if (dip.at < 0 || !(dip.p <= level)) return;
  const auto before = at(dip.from) + 1, behind = at(dip.to);
  if (rule == FallRule::between_shoulders)
    find_between(y.first(before), columns(draws, y.size(), 0, before), rule, level, offset, found);
  found.push_back({dip.from + offset, dip.at + offset, dip.to + offset, dip.depth, dip.p});
  // Behind a return the curve is up again: from there on a fall has two shoulders.
  find_between(y.subspan(behind), columns(draws, y.size(), behind, y.size()), FallRule::between_shoulders,
               level, offset + dip.to, found);
}

}  // namespace

Dip deepest_dip(std::span<const double> y, FallRule rule) {
  Dip best;
  if (y.empty()) return best;
  const auto behind = highest_behind(y);
  const bool shoulders = rule == FallRule::between_shoulders;
  std::int64_t before = 0;  // the highest so far
  for (std::int64_t b = shoulders ? 1 : 0; b + 1 < std::ssize(y); ++b) {
    const std::int64_t c = behind[at(b + 1)];
    const double shoulder = shoulders ? std::min(y[at(before)], y[at(c)]) : y[at(c)];
    const double depth = shoulder - y[at(b)];
    if (best.at < 0 || depth > best.depth) best = {shoulders ? before : 0, b, c, depth, nan};
    if (y[at(b)] > y[at(before)]) before = b;
  }
  return best;
}

Dip test_dip(std::span<const double> y, std::span<const double> draws, FallRule rule) {
  Dip dip = deepest_dip(y, rule);
  if (dip.at < 0) return dip;
  const auto fit = without_falls(y, rule);
  std::vector<double> noisy(y.size());
  std::int64_t count = 0, reached = 0;
  // Sums in another order differ in the last bits only.
  const double bound = dip.depth - 1e-12;
  for (std::size_t row = 0; row + y.size() <= draws.size(); row += y.size()) {
    const auto draw = draws.subspan(row, y.size());
    for (std::size_t i = 0; i < y.size(); ++i) noisy[i] = fit[i] + draw[i] - y[i];
    if (std::any_of(noisy.begin(), noisy.end(), [](double v) { return std::isnan(v); })) continue;
    ++count;
    if (deepest_dip(noisy, rule).depth >= bound) ++reached;
  }
  if (count > 0) dip.p = static_cast<double>(1 + reached) / static_cast<double>(1 + count);
  return dip;
}

std::vector<Dip> find_dips(std::span<const double> y, std::span<const double> draws, FallRule rule,
                           double level) {
  std::vector<Dip> found;
  find_between(y, draws, rule, level, 0, found);
  return found;
}

}  // namespace incipit::emergence
