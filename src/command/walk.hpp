#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "command/kept_trails.hpp"
#include "command/tracker.hpp"
#include "console/progress.hpp"

namespace incipit::command {

/// Follows trails, one after the other.
class Walk {
 public:
  /// `unit`: what the trails are followed for. Collective.
  Walk(Session& session, const Bench& bench, const Unit& unit)
      : session_(session), bench_(bench), kept_(session, unit) {}

  /// The last one asked for is kept: most trails of an anchor share their dictionary.
  Tracker& tracker(std::size_t dictionary);

  /// The whole trail, gathered; the points that no earlier job has kept are shared out over the ranks. One of
  /// the study's. Collective. Errors as Session::leave_if_asked.
  Followed follow(const Trail& trail, console::Progress& progress);

  /// |M_c| of what reads each point: [point, C].
  [[nodiscard]] std::vector<std::int64_t> matched(const Trail& trail);

 private:
  void visit(const Trail& trail, std::int64_t p, Followed& found);
  void compare(const Trail& trail, std::int64_t p, const SiteRows& now, emergence::Curve& curve) const;

  Session& session_;
  const Bench& bench_;
  KeptTrails kept_;
  std::optional<Tracker> tracker_;
  std::size_t held_ = 0;  ///< the dictionary of the tracker
  std::map<std::size_t, std::vector<std::int64_t>> counts_;
};

/// A curve's sites in the words of emergence.
[[nodiscard]] std::vector<emergence::Point> described(const Study& study, const Curve& curve);

/// How many of a trail's sites one rank visits, at most; of what a bar of progress counts.
[[nodiscard]] std::int64_t visits(const Session& session, const Trail& trail);

}  // namespace incipit::command
