#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "command/study.hpp"

/// How the points of trails are shared out over the ranks: by site, so that a site's residuals are read once
/// for all that is read there.
namespace incipit::command {

/// A point of a trail.
struct TrailVisit {
  std::size_t trail;  ///< of the study's
  std::size_t p;
  double seconds = 0;  ///< that are expected, beside what is done once at the site
};

/// Visits of one site by one rank.
struct Stay {
  Site site;
  std::vector<TrailVisit> visits;
};

/// Those of each rank, sites ascending: the longest are dealt first. The visits of a site are one rank's, but
/// for what is more than a rank's share of all. `once`: the seconds of what is done once at a site for these
/// visits. `beside`: those that rank 0 is busy with beside them.
[[nodiscard]] std::vector<std::vector<Stay>> deal_visits(const Study& study,
                                                         std::span<const TrailVisit> visits,
                                                         const std::function<double(const Stay&)>& once,
                                                         int ranks, double beside = 0);

[[nodiscard]] std::vector<TrailVisit> all_visits(const Study& study);
/// What reads at a visit.
[[nodiscard]] const Trail::Reading& reading_of(const Study& study, const TrailVisit& visit);
/// Whether the audit has left its site out: there is nothing to read.
[[nodiscard]] bool is_gap(const Study& study, const TrailVisit& visit);
/// The site of the point before, where the visit tells how far the residuals have moved from there; else
/// null.
[[nodiscard]] const Site* compared_with(const Study& study, const TrailVisit& visit);

}  // namespace incipit::command
