#include "command/walk.hpp"

#include <algorithm>

#include "align/drift.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

/// The points of a trail that this rank is to visit: its share of those that are not `there`.
std::vector<std::int64_t> to_visit(const Session& session, const Trail& trail,
                                   const std::vector<std::int8_t>& there) {
  std::vector<std::int64_t> left, mine;
  std::vector<double> costs;
  for (std::size_t p = 0; p < there.size(); ++p) {
    if (there[p] != 0) continue;
    left.push_back(static_cast<std::int64_t>(p));
    costs.push_back(static_cast<double>(session.study.model(trail.readings[p].site).config.d));
  }
  const auto owner = parallel::assign_longest_first(costs, session.world.size());
  for (std::size_t i = 0; i < left.size(); ++i)
    if (owner[i] == session.world.rank()) mine.push_back(left[i]);
  return mine;
}

}  // namespace

std::vector<emergence::Point> described(const Study& study, const Curve& curve) {
  std::vector<emergence::Point> points;
  for (const auto& site : curve.points) {
    const auto& model = study.model(site);
    points.push_back({model.name, model.config.params(), model.config.params_non_embedding(), site.step,
                      site.layer,
                      static_cast<double>(site.layer) / static_cast<double>(model.config.layers)});
  }
  return points;
}

std::int64_t visits(const Session& session, const Trail& trail) {
  return parallel::block_of(std::ssize(trail.readings), session.world.size(), 0).size();
}

Tracker& Walk::tracker(std::size_t dictionary) {
  if (!tracker_ || held_ != dictionary) {
    tracker_.reset();
    tracker_.emplace(session_, bench_, dictionary);
    held_ = dictionary;
  }
  return *tracker_;
}

Followed Walk::follow(const Trail& trail, console::Progress& progress) {
  std::vector<double> tau;
  std::int64_t latents = 0;
  std::optional<emergence::RandomLatents> random;
  if (trail.of_anchor()) {
    parallel::together(session_.world, "reading the anchor", [&] {
      auto& anchor = tracker(trail.anchor);
      anchor.prepare_anchor();
      tau = anchor.dictionary().match.matches.sweep.tau;
      latents = anchor.dictionary().sae.h;
      random = anchor.random_along(trail);
    });
  }
  Followed found{{trail.curve.name, described(session_.study, trail.curve), bench_.set.subjects,
                  session_.deck.track.permutations, tau, latents, trail.concludes()},
                 std::move(random)};
  const auto number = static_cast<std::size_t>(&trail - session_.study.trails.data());
  const auto mine = to_visit(session_, trail, kept_.take_up(number, found));
  progress.advance(std::max<std::int64_t>(0, visits(session_, trail) - std::ssize(mine)));
  parallel::together(session_.world, "track", [&] {
    for (const auto p : mine) {
      if (session_.stop->asked()) break;
      visit(trail, p, found);
      progress.advance();
      kept_.point_set(number, found);
    }
    kept_.trail_done(number, found);
  });
  if (session_.world.any(session_.stop->asked())) {
    parallel::together(session_.world, "keeping the curves", [&] { kept_.keep(); });
    session_.leave_if_asked("curves go on behind the points that were measured");
  }
  found.curve.gather(session_.world);
  if (found.random) found.random->gather(session_.world);
  return found;
}

void Walk::visit(const Trail& trail, std::int64_t p, Followed& found) {
  const auto& [dictionary, site] = trail.readings[static_cast<std::size_t>(p)];
  if (session_.study.anchors[trail.anchor].is_left_out(site))
    return found.curve.leave_out(p, emergence::Status::dropped);
  if (session_.deck.extract.loss && trail.of_anchor())
    found.curve.set_loss(p, store::Reader(session_.ledger->loss(site).path, "loss").scalar<double>("loss"));
  std::optional<SiteRows> rows;
  {
    const auto timer = session_.timing.phase("track");
    rows.emplace(session_, bench_, site);
    tracker(dictionary).measure(trail, p, *rows, found.curve, found.random ? &*found.random : nullptr);
  }
  if (trail.of_anchor() && emergence::has_neighbours(trail.curve.name)) compare(trail, p, *rows, found.curve);
}

/// How far the residual stream has moved from the point before.
void Walk::compare(const Trail& trail, std::int64_t p, const SiteRows& now, emergence::Curve& curve) const {
  if (p == 0) return;
  const Site& before = trail.readings[static_cast<std::size_t>(p - 1)].site;
  if (session_.study.anchors[trail.anchor].is_left_out(before)) return;
  const auto timer = session_.timing.phase("drift");
  const SiteRows rows(session_, bench_, before);
  curve.set_drift(p, align::drift(*session_.device, rows.parts(), now.parts(), bench_.fit_group,
                                  bench_.judge_group, session_.deck.run.seed));
}

std::vector<std::int64_t> Walk::matched(const Trail& trail) {
  std::vector<std::int64_t> counts;
  for (const auto& reading : trail.readings) {
    auto& of = counts_[reading.dictionary];
    if (of.empty())
      for (const auto& latents :
           emergence::matched_of(match::read_match(session_.ledger->match(reading.dictionary).path).matches))
        of.push_back(std::ssize(latents));
    counts.insert(counts.end(), of.begin(), of.end());
  }
  return counts;
}

}  // namespace incipit::command
