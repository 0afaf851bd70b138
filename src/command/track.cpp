#include <map>
#include <optional>

#include "command/claim.hpp"
#include "command/parts.hpp"
#include "command/stages.hpp"
#include "command/walk.hpp"
#include "emergence/baseline.hpp"
#include "emergence/conclusions.hpp"
#include "emergence/file.hpp"
#include "emergence/random_latents.hpp"
#include "interpret/file.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
#include "plan/forecast.hpp"
#include "store/process.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// Labels and matches of an anchor's control, where it has such a dictionary.
void add_dictionary(const Session& session, std::size_t anchor, const std::string& name,
                    emergence::AnchorResult& result) {
  const auto control = session.study.control(session.study.anchors[anchor], name);
  if (!control) return;
  result.dictionaries.push_back({name, interpret::read_labels(session.ledger->labels(*control).path),
                                 match::read_match(session.ledger->match(*control).path).matches});
}

emergence::AnchorResult begin_anchor(const Session& session, Anchors& anchors, std::size_t index,
                                     const emergence::TokenBaseline& baseline) {
  const auto& anchor = session.study.anchors[index];
  const auto& own = anchors.of(index);
  emergence::AnchorResult result;
  result.name = anchor.name;
  result.model = session.study.model(anchor.site).name;
  result.step = anchor.site.step;
  result.layer = anchor.site.layer;
  result.seed = static_cast<std::int64_t>(session.deck.run.seed);
  result.labels = own.labels;
  result.matches = own.match.matches;
  result.token_baseline = baseline;
  result.matched_fire_rate = emergence::total_fire_rate(own.matched, own.fire_rates());
  for (const char* control : {"random_weights", "first_step"})
    add_dictionary(session, index, control, result);
  if (session.ledger->attributes(index))
    result.attribution = emergence::read_attribution(session.ledger->attribution(index).path);
  return result;
}

/// |M_c| of what reads each point: [point, C].
std::vector<std::int64_t> matched_along(const Session& session, const Trail& trail) {
  std::map<std::size_t, std::vector<std::int64_t>> by;
  std::vector<std::int64_t> counts;
  for (const auto& reading : trail.readings) {
    auto& of = by[reading.dictionary];
    if (of.empty()) of = matched_by(session, reading.dictionary);
    counts.insert(counts.end(), of.begin(), of.end());
  }
  return counts;
}

/// Puts what a trail gave where it belongs.
void add_trail(const Session& session, const Trail& trail, Followed found, emergence::AnchorResult& result) {
  if (found.random) result.random_latents.push_back(std::move(*found.random));
  if (trail.of_anchor()) {
    result.curves.push_back(std::move(found.curve));
    return;
  }
  auto matched = matched_along(session, trail);
  if (!trail.seed) {
    result.control_curves.push_back({trail.place, std::move(found.curve), std::move(matched)});
    return;
  }
  matched.resize(session.study.probes.subjects.size());  // the same at every point
  result.seeds.push_back({static_cast<std::int64_t>(session.deck.run.seed + *trail.seed),
                          std::move(found.curve), std::move(matched)});
}

emergence::Emergence result_of(const Session& session, const emergence::TokenBaseline& baseline,
                               std::vector<Followed> found) {
  const auto& study = session.study;
  emergence::Emergence result;
  Anchors anchors(session);
  for (std::size_t a = 0; a < study.anchors.size(); ++a)
    result.anchors.push_back(begin_anchor(session, anchors, a, baseline));
  result.subjects = anchors.of(0).match.subjects;
  for (std::size_t t = 0; t < found.size(); ++t)
    add_trail(session, study.trails[t], std::move(found[t]), result.anchors[study.trails[t].anchor]);
  const auto& text = study.texts[static_cast<std::size_t>(
      study.text_of[static_cast<std::size_t>(study.anchors.front().site.model)])];
  result.probes = study.probes;
  result.audit = session.audit;
  for (const auto& tokens : text.tokens) result.tokens.push_back(static_cast<std::int32_t>(tokens.size()));
  result.last_token = text.last_token;
  return result;
}

/// Ranks share what takes long of conclusions. Curves are gathered.
void find_middles(Session& session, std::vector<Followed>& found) {
  const int ranks = session.world.size();
  parallel::together(session.world, "fitting rises", [&] {
    const auto timer = session.timing.phase("track");
    int next = session.world.rank();  // of the curve's rises, the first that is this rank's
    for (auto& one : found) {
      if (!one.curve.concludes()) continue;
      const int rises = emergence::find_middles(one.curve, next, ranks);
      next = ((next - rises) % ranks + ranks) % ranks;
    }
  });
  for (auto& one : found) one.curve.gather_middles(session.world);
}

/// One rank.
void write(const Session& session, const Unit& unit, const emergence::Emergence& result,
           const std::vector<std::string>& hosts) {
  const auto self = parallel::Communicator::self();
  store::Writer file(self, unit.path, session.header(unit));
  file.made_by(hosts);
  emergence::write_emergence(file, result);
  file.commit();
}

/// Beside the activations, which only points read that are not kept.
std::vector<const Unit*> needed_for_track(const Session& session) {
  std::vector<const Unit*> needed;
  for (auto stage : {deck::Stage::loss, deck::Stage::train, deck::Stage::interpret, deck::Stage::match,
                     deck::Stage::align, deck::Stage::attribute})
    for (const auto* unit : session.ledger->of(stage)) needed.push_back(unit);
  return needed;
}

}  // namespace

void track(Session& session, bool again) {
  if (!session.pending(deck::Stage::track, again).front()) return;
  session.require(needed_for_track(session));
  const auto& unit = session.ledger->emergence();
  const auto claimed = claim(session, session.world, unit);
  session.leave_if_asked();
  if (!claimed) return;

  std::vector<Followed> found;
  std::optional<emergence::TokenBaseline> baseline;
  {
    std::optional<Bench> bench;
    parallel::together(session.world, "drawing resamples", [&] { bench.emplace(session); });
    const plan::Task task{.units = static_cast<double>(bench->fit.size() + bench->probes.size())};
    const auto read_texts = [&] {
      const auto timer = session.timing.phase("token baseline");
      baseline =
          emergence::token_baseline(bench->fit_texts, bench->fit_subject, bench->fit_group, bench->texts,
                                    bench->set, bench->resampling, session.deck.run.seed);
    };
    found = Walk(session, *bench, unit)
                .follow(0, session.study.trails.size(), "track",
                        {plan::seconds_alone(task, "token baseline", session.rates), read_texts});
  }
  for (auto& one : found) one.gather(session.world);
  find_middles(session, found);
  const auto hosts = session.world.all_gather(store::host_name());
  // What is written is small and made of many pieces, for each of which all ranks would wait for all others.
  parallel::together(session.world, "writing emergence.h5", [&] {
    if (!session.world.root()) return;
    const auto timer = session.timing.phase("write");
    write(session, unit, result_of(session, *baseline, std::move(found)), hosts);
    remove_parts(session.deck.run.output, unit);
  });
}

}  // namespace incipit::command
