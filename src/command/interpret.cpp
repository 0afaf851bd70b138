#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/stages.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/file.hpp"
#include "interpret/nearest.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

/// Codes of all probes at an anchor, in the deck's order; each rank encodes its share of whole blocks, and
/// `nearest` sees it.
sae::Codes encode_all(Session& session, std::size_t a, const sae::Sae& sae,
                      interpret::NearestProbes& nearest) {
  const auto& world = session.world;
  const auto& anchor = session.study.anchors[a];
  const auto probes = static_cast<std::int64_t>(session.study.probes.all.size());
  const auto blocks =
      parallel::block_of((probes + sae::encode_block - 1) / sae::encode_block, world.size(), world.rank());
  const parallel::BlockRange block{std::min(probes, blocks.begin * sae::encode_block),
                                   std::min(probes, blocks.end * sae::encode_block)};
  sae::Codes mine;
  parallel::together(world, "encode", [&] {
    const Activations activations(session.ledger->activations(anchor.site).path, probes);
    auto u = activations.rows(anchor.site.layer, block);
    sae::normalise(u, sae.mean, sae.scale, u);
    std::vector<float> z;
    mine = sae::encode(*session.device, sae, u, block.size(),
                       [&](std::int64_t begin, std::int64_t rows, const float* on_device) {
                         z.resize(static_cast<std::size_t>(rows * sae.h));
                         session.device->download(z.data(), on_device, z.size() * sizeof(float));
                         nearest.see(block.begin + begin, z);
                       });
  });
  return {probes, sae.k, world.all_gather(mine.latent), world.all_gather(mine.activation)};
}

void report(Session& session, const std::string& anchor, const std::vector<interpret::LatentLabel>& labels) {
  std::array<std::int64_t, 4> counts{};
  for (const auto& label : labels) ++counts[static_cast<std::size_t>(label.status)];
  session.console.line(
      "labels {}: {} interpretable, {} not, {} unsupported, {} dead of {} latents (F1 >= {})", anchor,
      counts[0], counts[1], counts[2], counts[3], labels.size(), session.deck.interpret.f1);
}

}  // namespace

void interpret(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::interpret, again);
  for (std::size_t a = 0; a < pending.size(); ++a) {
    if (!pending[a]) continue;
    const auto& anchor = session.study.anchors[a];
    session.require({&session.ledger->sae(a), &session.ledger->activations(anchor.site)});
    const auto& unit = session.ledger->labels(a);
    const auto claimed = claim(session.world, unit, *session.stop);
    session.leave_if_asked();
    if (!claimed) continue;
    const auto timer = session.timing.phase("interpret");
    sae::Sae sae;
    parallel::together(session.world, "reading the SAE", [&] {
      sae = sae::read_saes(store::Reader(session.ledger->sae(a).path, "sae")).front();
    });
    const auto& probes = session.study.probes;
    interpret::NearestProbes nearest(probes, sae.h, sae.k);
    const auto codes = encode_all(session, a, sae, nearest);
    const auto seed = session.deck.run.seed;
    interpret::Labels labels;
    parallel::together(session.world, "interpret", [&] {
      const auto teacher = interpret::make_teacher(session.deck.interpret, probes, seed, session.threads);
      labels = {
          teacher->name(), probes.subjects,
          interpret::interpret_all(session.world, *teacher, probes, codes, sae, session.deck.interpret, seed),
          nearest.gather(session.world)};
      interpret::write_labels(session.world, unit.path, session.header(unit), labels, probes);
    });
    report(session, anchor.name, labels.latents);
  }
}

}  // namespace incipit::command
