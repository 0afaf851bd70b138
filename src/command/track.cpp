#include <algorithm>
#include <optional>

#include "command/claim.hpp"
#include "command/parts.hpp"
#include "command/stages.hpp"
#include "command/walk.hpp"
#include "emergence/baseline.hpp"
#include "emergence/file.hpp"
#include "emergence/random_latents.hpp"
#include "interpret/file.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
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

emergence::AnchorResult begin_anchor(Session& session, Walk& walk, std::size_t index,
                                     const emergence::TokenBaseline& baseline) {
  const auto& anchor = session.study.anchors[index];
  const auto& own = walk.anchor(index);
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

/// Puts what a trail gave where it belongs.
void add_trail(const Session& session, Walk& walk, const Trail& trail, Followed found,
               emergence::AnchorResult& result) {
  auto& [curve, random] = found;
  if (random) result.random_latents.push_back(std::move(*random));
  if (trail.of_anchor()) {
    result.curves.push_back(std::move(curve));
    return;
  }
  auto matched = walk.matched(trail);
  if (!trail.seed) {
    result.control_curves.push_back({trail.place, std::move(curve), std::move(matched)});
    return;
  }
  matched.resize(session.study.probes.subjects.size());  // the same at every point
  result.seeds.push_back(
      {static_cast<std::int64_t>(session.deck.run.seed + *trail.seed), std::move(curve), std::move(matched)});
}

std::vector<const Unit*> needed_for_track(const Session& session) {
  std::vector<const Unit*> needed;
  for (auto stage : {deck::Stage::extract, deck::Stage::loss, deck::Stage::train, deck::Stage::interpret,
                     deck::Stage::match, deck::Stage::align, deck::Stage::attribute})
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

  const auto& study = session.study;
  emergence::Emergence result;
  {
    std::optional<Bench> bench;
    std::optional<emergence::TokenBaseline> baseline;
    parallel::together(session.world, "token baseline", [&] {
      const auto timer = session.timing.phase("token baseline");
      bench.emplace(session);
      baseline =
          emergence::token_baseline(bench->fit_texts, bench->fit_subject, bench->fit_group, bench->texts,
                                    bench->set, bench->resampling, session.deck.run.seed);
    });
    Walk walk(session, *bench, unit);
    auto found = walk.follow(0, study.trails.size(), "track");
    for (auto& one : found) one.gather(session.world);
    parallel::together(session.world, "reading the anchors", [&] {
      for (std::size_t a = 0; a < study.anchors.size(); ++a)
        result.anchors.push_back(begin_anchor(session, walk, a, *baseline));
      result.subjects = walk.anchor(0).match.subjects;
      for (std::size_t t = 0; t < found.size(); ++t)
        add_trail(session, walk, study.trails[t], std::move(found[t]),
                  result.anchors[study.trails[t].anchor]);
    });
  }
  const auto& text = study.texts[static_cast<std::size_t>(
      study.text_of[static_cast<std::size_t>(study.anchors.front().site.model)])];
  result.probes = study.probes;
  result.audit = session.audit;
  for (const auto& tokens : text.tokens) result.tokens.push_back(static_cast<std::int32_t>(tokens.size()));
  result.last_token = text.last_token;
  const auto timer = session.timing.phase("write");
  parallel::together(session.world, "writing emergence.h5", [&] {
    store::Writer file(session.world, unit.path, session.header(unit));
    emergence::write_emergence(file, result);
    file.commit();
    if (session.world.root()) remove_parts(session.deck.run.output, unit);
  });
}

}  // namespace incipit::command
