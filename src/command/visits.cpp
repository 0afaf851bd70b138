#include "command/visits.hpp"

#include <map>
#include <utility>

#include "emergence/curve.hpp"
#include "parallel/work.hpp"

namespace incipit::command {

std::vector<TrailVisit> all_visits(const Study& study) {
  std::vector<TrailVisit> visits;
  for (std::size_t t = 0; t < study.trails.size(); ++t)
    for (std::size_t p = 0; p < study.trails[t].readings.size(); ++p) visits.push_back({t, p});
  return visits;
}

const Trail::Reading& reading_of(const Study& study, const TrailVisit& visit) {
  return study.trails[visit.trail].readings[visit.p];
}

bool is_gap(const Study& study, const TrailVisit& visit) {
  return study.anchors[study.trails[visit.trail].anchor].is_left_out(reading_of(study, visit).site);
}

const Site* compared_with(const Study& study, const TrailVisit& visit) {
  const auto& trail = study.trails[visit.trail];
  if (!trail.of_anchor() || !emergence::has_neighbours(trail.curve.name) || visit.p == 0) return nullptr;
  const TrailVisit before{visit.trail, visit.p - 1};
  if (is_gap(study, visit) || is_gap(study, before)) return nullptr;
  return &reading_of(study, before).site;
}

std::vector<std::vector<Stay>> deal_visits(const Study& study, std::span<const TrailVisit> visits,
                                           const std::function<double(const Stay&)>& once, int ranks,
                                           double beside) {
  std::map<Site, Stay> sites;
  for (const auto& visit : visits) {
    const Site& site = reading_of(study, visit).site;
    sites.try_emplace(site, Stay{site, {}}).first->second.visits.push_back(visit);
  }
  double share = beside / ranks;
  for (const auto& [site, stay] : sites) {
    share += once(stay) / ranks;
    for (const auto& visit : stay.visits) share += visit.seconds / ranks;
  }
  std::vector<Stay> stays;
  std::vector<double> costs;
  for (const auto& [site, stay] : sites) {
    const double at_once = once(stay);
    for (const auto& visit : stay.visits) {
      if (&visit == stay.visits.data() || costs.back() + visit.seconds > share) {
        stays.push_back({site, {}});
        costs.push_back(at_once);
      }
      stays.back().visits.push_back(visit);
      costs.back() += visit.seconds;
    }
  }
  std::vector<std::vector<Stay>> dealt(static_cast<std::size_t>(ranks));
  costs.push_back(beside);
  const auto owner = parallel::assign_longest_first(costs, ranks);
  for (std::size_t s = 0; s < stays.size(); ++s)
    dealt[static_cast<std::size_t>(owner[s])].push_back(std::move(stays[s]));
  std::swap(dealt.front(), dealt[static_cast<std::size_t>(owner.back())]);
  return dealt;
}

}  // namespace incipit::command
