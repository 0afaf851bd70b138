#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "command/kept_trails.hpp"
#include "command/tracker.hpp"
#include "command/visits.hpp"
#include "console/progress.hpp"

namespace incipit::command {

/// Follows trails: their points are dealt over the ranks once, by site, and no rank waits for another before
/// all are measured.
class Walk {
 public:
  /// `unit`: what the trails are followed for. Collective.
  Walk(Session& session, const Bench& bench, const Unit& unit)
      : session_(session), bench_(bench), kept_(session, unit) {}

  /// The study's trails [first, last), as far as this rank has measured them: to be gathered. What earlier
  /// jobs have kept is rank 0's. `name`: of the bar of progress. Collective. Errors as
  /// Session::leave_if_asked.
  std::vector<Followed> follow(std::size_t first, std::size_t last, const std::string& name);

  /// |M_c| of what reads each point: [point, C].
  [[nodiscard]] std::vector<std::int64_t> matched(const Trail& trail);
  /// An anchor's labels and matches.
  const Labelled& anchor(std::size_t anchor);

 private:
  Followed begin(const Trail& trail);
  std::vector<Stay> deal(std::size_t first, const std::vector<std::vector<std::int8_t>>& there);
  void expect(std::vector<TrailVisit>& visits);
  std::vector<std::set<std::size_t>> rounds(const std::vector<Stay>& mine) const;
  void visit_all(const std::vector<Stay>& mine, std::size_t first, std::vector<Followed>& found,
                 console::Progress& progress);
  void visit(const TrailVisit& visit, std::optional<SiteView>& view, Followed& found);
  Tracker& tracker(std::size_t dictionary);
  const std::vector<std::int64_t>& matched_by(std::size_t dictionary);

  Session& session_;
  const Bench& bench_;
  KeptTrails kept_;
  std::map<std::size_t, Labelled> anchors_;
  std::map<std::size_t, Tracker> trackers_;                      ///< by dictionary
  std::map<std::size_t, std::vector<std::int64_t>> matched_by_;  ///< by dictionary: [C]
};

/// A curve's sites in the words of emergence.
[[nodiscard]] std::vector<emergence::Point> described(const Study& study, const Curve& curve);

}  // namespace incipit::command
