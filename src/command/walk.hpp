#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "command/kept_trails.hpp"
#include "command/let_go.hpp"
#include "command/tracker.hpp"
#include "command/visits.hpp"
#include "console/progress.hpp"

namespace incipit::command {

/// What the anchors' own curves begin with: their labels and matches, read when they are first asked for.
class Anchors {
 public:
  explicit Anchors(const Session& session) : session_(session) {}

  const Labelled& of(std::size_t anchor);
  /// A trail none of whose points is set.
  Followed begin(const Trail& trail);

 private:
  const Session& session_;
  std::map<std::size_t, Labelled> read_;
};

/// |M_c| of a dictionary: [C]. Error as match::read_match.
[[nodiscard]] std::vector<std::int64_t> matched_by(const Session& session, std::size_t dictionary);

/// The points of the study's curves that no job has kept. One rank; the anchors are labelled and matched.
[[nodiscard]] std::vector<TrailVisit> visits_left(const Session& session);

/// What rank 0 does by itself while points are measured.
struct Beside {
  double seconds = 0;  ///< that are expected
  std::function<void()> work = {};
};

/// Follows trails: their points are dealt over the ranks once, by site, and no rank waits for another before
/// all are measured.
class Walk {
 public:
  /// `unit`: what the trails are followed for. Collective.
  Walk(Session& session, const Bench& bench, const Unit& unit)
      : session_(session), bench_(bench), unit_(unit), anchors_(session), kept_(session, unit) {}

  /// The study's trails [first, last), as far as this rank has measured them: to be gathered. What earlier
  /// jobs have kept is rank 0's. `name`: of the bar of progress. Collective. Errors as
  /// Session::leave_if_asked.
  std::vector<Followed> follow(std::size_t first, std::size_t last, const std::string& name,
                               const Beside& beside = {});

 private:
  std::vector<std::vector<Stay>> deal(std::size_t first, const std::vector<std::vector<std::int8_t>>& there,
                                      double beside);
  void require_activations(const std::vector<std::vector<Stay>>& dealt) const;
  void expect(std::vector<TrailVisit>& visits);
  std::vector<std::set<std::size_t>> rounds(const std::vector<Stay>& mine) const;
  void visit_all(const std::vector<Stay>& mine, std::size_t first, std::vector<Followed>& found,
                 console::Progress& progress);
  void visit(const TrailVisit& visit, std::optional<SiteView>& view, Followed& found);
  Tracker& tracker(std::size_t dictionary);

  Session& session_;
  const Bench& bench_;
  const Unit& unit_;
  Anchors anchors_;
  KeptTrails kept_;
  std::optional<Dropping> dropping_;         ///< where activations go
  std::map<std::size_t, Tracker> trackers_;  ///< by dictionary
};

/// A curve's sites in the words of emergence.
[[nodiscard]] std::vector<emergence::Point> described(const Study& study, const Curve& curve);

}  // namespace incipit::command
