#include "command/reading_cost.hpp"

#include <algorithm>

#include "align/folds.hpp"

namespace incipit::command {
namespace {

/// What a decomposition of a d×d matrix takes, in d³.
constexpr double flops_of_svd = 25;
/// What fitting a linear probe takes for each row, in d².
constexpr double flops_of_linear_probe = 60;

}  // namespace

ReadingCost::ReadingCost(const Study& study, const deck::Deck& deck)
    : study_(study),
      fit_(static_cast<double>(study.probes.of(corpus::Part::fit).size())),
      judge_(static_cast<double>(study.probes.of(corpus::Part::judge).size())),
      draws_(static_cast<double>(deck.track.bootstrap + deck.track.permutations) + 1) {}

double ReadingCost::width(const Site& site) const {
  return static_cast<double>(study_.model(site).config.d);
}

double ReadingCost::ranked(double subjects) const {
  return judge_ * draws_ * subjects;
}

/// A linear probe is fitted to several parts of the fit rows (in fp64, which counts twice).
plan::Task ReadingCost::site(const Site& site, bool with_linear_probe) const {
  const double d = width(site);
  plan::Task task{.width = d,
                  .bytes_read = static_cast<double>(study_.probes.all.size()) * d * sizeof(float)};
  if (!with_linear_probe) return task;
  task.flops = flops_of_linear_probe * fit_ * d * d;
  task.units = ranked(static_cast<double>(study_.probes.subjects.size()));
  return task;
}

/// As they are and rescaled where the dictionary is as wide, and aligned where there are maps.
plan::Task ReadingCost::reading(const Trail& trail, std::size_t p, double subjects) const {
  const auto& [dictionary, site] = trail.readings[p];
  const bool as_wide = width(site) == width(study_.dictionaries[dictionary].site);
  const int rungs = (as_wide ? 1 : 0) + (trail.maps ? 1 : 0) + (as_wide && trail.maps ? 1 : 0);
  return {.units = rungs * ranked(subjects)};
}

plan::Task ReadingCost::drift(const Site& before, const Site& now) const {
  return {.units = map_flops(width(before), width(now)),
          .bytes_read = (fit_ + judge_) * width(before) * sizeof(float)};
}

double ReadingCost::map_flops(double from, double to) const {
  const double decompositions = 1 + align::folds;
  const double most = std::max(from, to);
  return decompositions * (2 * fit_ * from * (from + to) + flops_of_svd * most * most * most) +
         2 * judge_ * judge_ * to;
}

}  // namespace incipit::command
