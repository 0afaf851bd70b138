#include <fmt/format.h>

#include "command/claim.hpp"
#include "command/stages.hpp"
#include "interpret/file.hpp"
#include "match/file.hpp"
#include "match/lexical.hpp"
#include "match/matching.hpp"
#include "match/subjects.hpp"
#include "parallel/agree.hpp"

namespace incipit::command {
namespace {

void report(Session& session, const std::string& anchor, const match::MatchFile& file) {
  std::string counts;
  for (std::size_t c = 0; c < file.subjects.all.size(); ++c)
    counts += fmt::format("{}{} {}", c == 0 ? "" : ", ", file.subjects.all[c].name,
                          file.matches.of(static_cast<std::int64_t>(c)).size());
  session.console.line("match {}: tau = {:.3f}{}, {:.1f} % of decoys match; latents by subject: {}", anchor,
                       file.matches.tau, file.matches.tau_auto ? " (auto)" : "",
                       100 * file.matches.decoy_rate, counts);
}

}  // namespace

void match(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::match, again);
  const auto& probes = session.study.probes;
  for (std::size_t a = 0; a < pending.size(); ++a) {
    if (!pending[a]) continue;
    session.require({&session.ledger->labels(a)});
    const auto& unit = session.ledger->match(a);
    const auto claimed = claim(session.world, unit, *session.stop);
    session.leave_if_asked();
    if (!claimed) continue;
    const auto timer = session.timing.phase("match");
    match::MatchFile file;
    // Every rank does the same small work, so that nothing need travel.
    parallel::together(session.world, "match", [&] {
      const auto labels = interpret::read_labels(session.ledger->labels(a).path);
      file.subjects = match::load_subjects(session.deck.match.subjects, probes.subjects);
      file.interpretable = interpret::interpretable(labels.latents);
      for (const auto& latent : labels.latents) file.labels.push_back(latent.label);
      const auto encoder = match::make_encoder(session.deck.match, probes, file.subjects,
                                               session.deck.run.seed, session.threads);
      file.encoder = encoder->name();
      file.matches =
          match::match_labels(*encoder, file.labels, file.interpretable, file.subjects, session.deck.match);
      match::write_match(session.world, unit.path, session.header(unit), file);
    });
    report(session, session.study.anchors[a].name, file);
  }
}

}  // namespace incipit::command
