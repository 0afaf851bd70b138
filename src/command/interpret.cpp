#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/stages.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/file.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

/// Codes of all probes at a dictionary's site, in the deck's order; each rank encodes its share of whole
/// blocks.
sae::Codes encode_all(Session& session, std::size_t index, const sae::Sae& sae) {
  const auto& world = session.world;
  const auto& site = session.study.dictionaries[index].site;
  const auto probes = static_cast<std::int64_t>(session.study.probes.all.size());
  const auto blocks =
      parallel::block_of((probes + sae::encode_block - 1) / sae::encode_block, world.size(), world.rank());
  const parallel::BlockRange block{std::min(probes, blocks.begin * sae::encode_block),
                                   std::min(probes, blocks.end * sae::encode_block)};
  sae::Codes mine;
  parallel::together(world, "encode", [&] {
    const Activations activations(session.ledger->activations(site).path, probes);
    auto u = activations.rows(site.layer, block);
    sae::normalise(u, sae.mean, sae.scale, u);
    mine = sae::encode(*session.device, sae, u, block.size());
  });
  return {probes, sae.k, world.all_gather(mine.latent), world.all_gather(mine.activation)};
}

void report(Session& session, const std::string& name, const std::vector<interpret::LatentLabel>& labels) {
  std::array<std::int64_t, 4> counts{};
  for (const auto& label : labels) ++counts[static_cast<std::size_t>(label.status)];
  session.console.line(
      "labels {}: {} interpretable, {} not, {} unsupported, {} dead of {} latents (F1 >= {})", name,
      counts[0], counts[1], counts[2], counts[3], labels.size(), session.deck.interpret.f1);
}

}  // namespace

void interpret(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::interpret, again);
  for (std::size_t d = 0; d < pending.size(); ++d) {
    if (!pending[d]) continue;
    const auto& dictionary = session.study.dictionaries[d];
    session.require({&session.ledger->sae(d), &session.ledger->activations(dictionary.site)});
    const auto& unit = session.ledger->labels(d);
    const auto claimed = claim(session.world, unit, *session.stop);
    session.leave_if_asked();
    if (!claimed) continue;
    const auto timer = session.timing.phase("interpret");
    sae::Sae sae;
    parallel::together(session.world, "reading the SAE", [&] {
      sae = sae::read_saes(store::Reader(session.ledger->sae(d).path, "sae")).front();
    });
    const auto codes = encode_all(session, d, sae);
    const auto& probes = session.study.probes;
    const auto seed = session.deck.run.seed;
    interpret::Labels labels;
    parallel::together(session.world, "interpret", [&] {
      const auto teacher = interpret::make_teacher(session.deck.interpret, probes, seed, session.threads);
      labels = {teacher->name(), probes.subjects,
                interpret::interpret_all(session.world, *teacher, probes, codes, sae, session.deck.interpret,
                                         seed)};
      interpret::write_labels(session.world, unit.path, session.header(unit), labels, probes);
    });
    report(session, dictionary.name, labels.latents);
  }
}

}  // namespace incipit::command
