#include <fmt/format.h>

#include <memory>
#include <utility>

#include "command/claim.hpp"
#include "command/stages.hpp"
#include "command/tau.hpp"
#include "interpret/file.hpp"
#include "match/embedded.hpp"
#include "match/encoder.hpp"
#include "match/file.hpp"
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

/// What the deck's encoder says of every text that matching asks for. Rank 0 alone runs it, and makes it when
/// it is first needed; what it says goes to all.
class Embeddings {
 public:
  explicit Embeddings(Session& session) : session_(session) {}

  /// Collective.
  match::EmbeddedTexts& of(const match::MatchFile& file) {
    const auto texts = said_.unknown(match::texts_to_embed(file.labels, file.subjects));
    std::string name;
    std::vector<std::int64_t> dimensions;
    std::vector<float> rows;
    parallel::together(session_.world, "match", [&] {
      if (!session_.world.root()) return;
      if (!encoder_)
        encoder_ = match::make_encoder(session_.deck.match, session_.study.probes, file.subjects,
                                       session_.deck.run.seed, session_.threads, *session_.device);
      name = encoder_->name();
      dimensions = {encoder_->dimensions()};
      rows = encoder_->embed(texts);
    });
    name = session_.world.broadcast(name);
    session_.world.broadcast(dimensions);
    session_.world.broadcast(rows);
    said_.set_encoder(name, dimensions.front());
    said_.add(texts, rows);
    return said_;
  }

 private:
  Session& session_;
  std::unique_ptr<match::Encoder> encoder_;
  match::EmbeddedTexts said_;
};

}  // namespace

void match(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::match, again);
  Embeddings embeddings(session);
  for (std::size_t d = 0; d < pending.size(); ++d) {
    if (!pending[d]) continue;
    session.require({&session.ledger->labels(d)});
    const auto& unit = session.ledger->match(d);
    const auto claimed = claim(session, session.world, unit);
    session.leave_if_asked();
    if (!claimed) continue;
    const auto timer = session.timing.phase("match");
    match::MatchFile file;
    parallel::together(session.world, "match", [&] {
      const auto labels = interpret::read_labels(session.ledger->labels(d).path);
      file.subjects = match::load_subjects(session.deck.match.subjects, session.study.probes.subjects);
      file.interpretable = interpret::interpretable(labels.latents);
      for (const auto& latent : labels.latents) file.labels.push_back(latent.label);
    });
    auto& embedded = embeddings.of(file);
    // Every rank does the same small work, so that nothing more need travel.
    parallel::together(session.world, "match", [&] {
      file.encoder = embedded.name();
      file.matches =
          match::match_labels(embedded, file.labels, file.interpretable, file.subjects, session.deck.match);
      const auto writing = session.timing.phase("write");
      match::write_match(session.world, unit.path, session.header(unit), file);
    });
    report(session, session.study.dictionaries[d].name, file);
  }
}

void match_and_sweep(Session& session, bool again) {
  match(session, again);
  for (std::size_t a = 0; a < session.study.anchors.size(); ++a) {
    const auto sweep = sweep_tau(session, a);
    if (session.world.root()) session.console.block(tau_table(sweep));
  }
  session.console.block(tau_legend());
}

}  // namespace incipit::command
