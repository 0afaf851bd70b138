#include "command/walk.hpp"

#include <algorithm>

#include "align/drift.hpp"
#include "command/reading_cost.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
#include "plan/forecast.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

/// The dictionaries that read more than one stay, ascending.
std::vector<std::size_t> shared_by(const Study& study, const std::vector<Stay>& stays) {
  std::map<std::size_t, int> uses;
  for (const auto& stay : stays) {
    std::set<std::size_t> here;
    for (const auto& visit : stay.visits)
      if (!is_gap(study, visit)) here.insert(reading_of(study, visit).dictionary);
    for (const auto dictionary : here) ++uses[dictionary];
  }
  std::vector<std::size_t> shared;
  for (const auto& [dictionary, count] : uses)
    if (count > 1) shared.push_back(dictionary);
  return shared;
}

struct Purpose {
  bool read = false, probed = false;
};

/// Whether anything is read on a stay, and whether a linear probe is.
Purpose purpose_of(const Study& study, const Stay& stay) {
  Purpose purpose;
  for (const auto& visit : stay.visits) {
    if (is_gap(study, visit)) continue;
    purpose.read = true;
    purpose.probed = purpose.probed || study.trails[visit.trail].with_linear_probe;
  }
  return purpose;
}

/// How many dictionaries may be held at once: an eighth of the memory is theirs, twice their weights each.
std::size_t abreast(const Session& session, const std::vector<std::size_t>& dictionaries) {
  std::uint64_t most = 1;
  for (const auto d : dictionaries) {
    const auto& dictionary = session.study.dictionaries[d];
    const auto numbers =
        2 * sae_options(session.deck, dictionary).latents * session.study.model(dictionary.site).config.d;
    most = std::max(most, 2 * sizeof(float) * static_cast<std::uint64_t>(numbers));
  }
  return std::max<std::size_t>(1, session.memory / 8 / most);
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

const Labelled& Anchors::of(std::size_t anchor) {
  return read_.try_emplace(anchor, session_, anchor).first->second;
}

Followed Anchors::begin(const Trail& trail) {
  const auto& study = session_.study;
  const auto subjects = static_cast<std::int32_t>(study.probes.subjects.size());
  std::vector<double> tau;
  std::int64_t latents = 0;
  std::optional<emergence::RandomLatents> random;
  if (trail.of_anchor()) {
    const auto& own = of(trail.anchor);
    tau = own.match.matches.sweep.tau;
    latents = std::ssize(own.labels.latents);
    const auto draws = own.random_draws(session_.deck);
    if (!draws.empty())
      random.emplace(trail.curve.name, std::ssize(trail.readings), subjects,
                     emergence::mean_fire_rate(draws, own.fire_rates()));
  }
  return {{trail.curve.name, described(study, trail.curve), subjects, session_.deck.track.permutations, tau,
           latents, trail.concludes()},
          std::move(random)};
}

std::vector<TrailVisit> visits_left(const Session& session) {
  Anchors anchors(session);
  std::vector<Followed> found;
  for (const auto& trail : session.study.trails) found.push_back(anchors.begin(trail));
  take_up_kept(session, session.ledger->emergence(), 0, found);
  auto left = all_visits(session.study);
  std::erase_if(left, [&](const TrailVisit& visit) {
    return found[visit.trail].curve.is_set(static_cast<std::int64_t>(visit.p));
  });
  return left;
}

std::vector<std::int64_t> matched_by(const Session& session, std::size_t dictionary) {
  std::vector<std::int64_t> counts;
  for (const auto& latents :
       emergence::matched_of(match::read_match(session.ledger->match(dictionary).path).matches))
    counts.push_back(std::ssize(latents));
  return counts;
}

std::vector<Followed> Walk::follow(std::size_t first, std::size_t last, const std::string& name,
                                   const Beside& beside) {
  std::vector<Followed> found;
  parallel::together(session_.world, "reading the anchors", [&] {
    for (std::size_t t = first; t < last; ++t) found.push_back(anchors_.begin(session_.study.trails[t]));
  });
  const auto dealt = deal(first, kept_.take_up(first, found), beside.seconds);
  require_activations(dealt);
  if (session_.drops) dropping_.emplace(session_, unit_, kept_.start(), dealt);
  const auto& mine = dealt[static_cast<std::size_t>(session_.world.rank())];
  std::int64_t points = 0;
  for (const auto& stay : mine) points += std::ssize(stay.visits);
  console::Progress progress(session_.console, name, points, "points of rank 0");
  parallel::together(session_.world, name, [&] {
    if (session_.world.root() && beside.work) beside.work();
    visit_all(mine, first, found, progress);
    kept_.done();
  });
  if (session_.world.any(session_.stop->asked())) {
    parallel::together(session_.world, "keeping the curves", [&] {
      kept_.keep();
      if (dropping_) dropping_->kept();
    });
    session_.leave_if_asked("curves go on behind the points that were measured");
  }
  return found;
}

/// The points that are not `there`: of each rank.
std::vector<std::vector<Stay>> Walk::deal(std::size_t first,
                                          const std::vector<std::vector<std::int8_t>>& there, double beside) {
  std::vector<TrailVisit> left;
  for (std::size_t t = 0; t < there.size(); ++t)
    for (std::size_t p = 0; p < there[t].size(); ++p)
      if (there[t][p] == 0) left.push_back({first + t, p});
  expect(left);
  const ReadingCost cost(session_.study, session_.deck);
  const auto once = [&](const Stay& stay) {
    const auto [read, probed] = purpose_of(session_.study, stay);
    return read ? plan::seconds_alone(cost.site(stay.site, probed), "track", session_.rates) : 0;
  };
  return deal_visits(session_.study, left, once, session_.world.size(), beside);
}

void Walk::require_activations(const std::vector<std::vector<Stay>>& dealt) const {
  std::set<std::size_t> read;
  for (const auto& stays : dealt)
    for (const auto& stay : stays)
      for (const auto& visit : stay.visits) read.merge(read_by(session_.study, visit));
  std::vector<const Unit*> units;
  for (const auto c : read) units.push_back(&session_.ledger->activations(c));
  session_.require(units);
}

/// How long each visit should take. Rank 0 looks at the matches, so that all ranks deal alike.
void Walk::expect(std::vector<TrailVisit>& visits) {
  const auto& study = session_.study;
  parallel::together(session_.world, "reading the matches", [&] {
    if (!session_.world.root()) return;
    const ReadingCost cost(study, session_.deck);
    std::map<std::size_t, double> subjects;  // that a dictionary has latents for
    for (auto& visit : visits) {
      if (is_gap(study, visit)) continue;
      const auto& [dictionary, site] = reading_of(study, visit);
      const auto& trail = study.trails[visit.trail];
      if (!subjects.contains(dictionary))
        subjects[dictionary] = static_cast<double>(
            std::ranges::count_if(matched_by(session_, dictionary), [](auto n) { return n > 0; }));
      visit.seconds =
          plan::seconds_alone(cost.reading(trail, visit.p, subjects[dictionary]), "track", session_.rates);
      if (const Site* before = compared_with(study, visit))
        visit.seconds += plan::seconds_alone(cost.drift(*before, site), "drift", session_.rates);
    }
  });
  session_.world.broadcast(visits);
}

/// Which dictionaries read in one round over this rank's stays. As many as memory holds, so that each is made
/// once; one that reads a single stay is made there, in the first round.
std::vector<std::set<std::size_t>> Walk::rounds(const std::vector<Stay>& mine) const {
  const auto shared = shared_by(session_.study, mine);
  std::vector<std::set<std::size_t>> rounds(1);
  for (const auto& stay : mine)
    for (const auto& visit : stay.visits) rounds.front().insert(reading_of(session_.study, visit).dictionary);
  const auto held = abreast(session_, shared);
  for (std::size_t i = held; i < shared.size(); ++i) {
    if (i % held == 0) rounds.emplace_back();
    rounds.front().erase(shared[i]);
    rounds.back().insert(shared[i]);
  }
  return rounds;
}

void Walk::visit_all(const std::vector<Stay>& mine, std::size_t first, std::vector<Followed>& found,
                     console::Progress& progress) {
  const auto shared = shared_by(session_.study, mine);
  for (const auto& round : rounds(mine)) {
    for (const auto& stay : mine) {
      std::optional<SiteView> view;
      for (const auto& visit : stay.visits) {
        if (!round.contains(reading_of(session_.study, visit).dictionary)) continue;
        if (session_.stop->asked()) return;
        this->visit(visit, view, found[visit.trail - first]);
        progress.advance();
        if (dropping_) dropping_->visited(visit);
        if (kept_.point_set(visit.trail) && dropping_) dropping_->kept();
      }
      std::erase_if(trackers_,
                    [&](const auto& one) { return !std::ranges::binary_search(shared, one.first); });
    }
    trackers_.clear();
  }
}

Tracker& Walk::tracker(std::size_t dictionary) {
  return trackers_.try_emplace(dictionary, session_, bench_, dictionary).first->second;
}

/// `view` is of the visit's site; made when something is read there.
void Walk::visit(const TrailVisit& visit, std::optional<SiteView>& view, Followed& found) {
  const auto& study = session_.study;
  const auto& trail = study.trails[visit.trail];
  const auto& [dictionary, site] = reading_of(study, visit);
  const auto p = static_cast<std::int64_t>(visit.p);
  if (is_gap(study, visit)) return found.curve.leave_out(p, emergence::Status::dropped);
  if (session_.deck.extract.loss && trail.of_anchor())
    found.curve.set_loss(p, store::Reader(session_.ledger->loss(site).path, "loss").scalar<double>("loss"));
  {
    const auto timer = session_.timing.phase("track");
    if (!view) view.emplace(session_, bench_, site);
    auto& reader = tracker(dictionary);
    if (trail.of_anchor()) reader.prepare_anchor();
    reader.measure(trail, p, *view, found.curve, found.random ? &*found.random : nullptr);
  }
  if (const Site* before = compared_with(study, visit)) {
    const auto timer = session_.timing.phase("drift");
    const SiteRows rows(session_, bench_, *before);
    found.curve.set_drift(p, align::drift(*session_.device, rows.parts(), view->rows().parts(),
                                          bench_.fit_group, bench_.judge_group, session_.deck.run.seed));
  }
}

}  // namespace incipit::command
