#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/file.hpp"
#include "interpret/nearest.hpp"
#include "interpret/summary.hpp"
#include "interpret/teacher.hpp"
#include "model/precision.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

/// Codes of all probes at a dictionary's site, in the deck's order; each rank encodes its share of whole
/// blocks, and `nearest` sees it.
sae::Codes encode_all(Session& session, std::size_t index, const sae::Sae& sae,
                      interpret::NearestProbes& nearest) {
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

void report(Session& session, const std::string& name, const std::vector<interpret::LatentLabel>& labels) {
  const auto summary = interpret::summarize(labels);
  const auto& counts = summary.latents;
  auto& console = session.console;
  console.line("labels {}: {} interpretable, {} not, {} unsupported, {} dead of {} latents (F1 >= {})", name,
               counts[0], counts[1], counts[2], counts[3], labels.size(), session.deck.interpret.f1);
  if (summary.judged == 0) return;
  console.line(
      "  mean F1 {:.2f} over {} judged; always yes would give {:.2f}, a coin {:.2f}; {:.0f} % of {} answers "
      "yes, {} unparsed",
      summary.f1, summary.judged, summary.f1_always_yes, summary.f1_coin, 100 * summary.yes, summary.answers,
      summary.unparsed);
  for (const auto& warning : interpret::warnings(summary)) console.warn("labels {}: {}", name, warning);
}

/// The teacher of all dictionaries, made when the first of them needs it.
class Classroom {
 public:
  explicit Classroom(Session& session) : session_(session) {}

  interpret::Labels label(const sae::Codes& codes, const sae::Sae& sae) {
    const auto& world = session_.world;
    const auto& probes = session_.study.probes;
    const auto& options = session_.deck.interpret;
    interpret::Labels labels;
    parallel::together(world, "", [&] {
      if (!teacher_) teacher_ = make();
      const auto mine = interpret::latents_of(world, options, sae.h).size();
      progress_.emplace(session_.console, "interpret", mine,
                        world.size() == 1 ? "latents" : "latents of rank 0");
      labels = {
          teacher_->name(), probes.subjects,
          interpret::interpret_all(world, *teacher_, probes, codes, sae, options, session_.deck.run.seed,
                                   [&](std::int64_t latents) { done(latents); }),
          teacher_->model(), teacher_->server()};
      progress_.reset();
    });
    return labels;
  }

 private:
  std::unique_ptr<interpret::Teacher> make() {
    return interpret::make_teacher(
        {.options = session_.deck.interpret,
         .probes = session_.study.probes,
         .seed = session_.deck.run.seed,
         .threads = session_.threads,
         .device = session_.device.get(),
         .precision = model::precision_of(session_.deck.run.precision),
         .memory = session_.memory,
         .output = session_.deck.run.output,
         .rank = session_.world.rank(),
         .ranks = session_.world.size(),
         .stop = [this] { return session_.stop->reason(); },
         .note = [this](const std::string& text) { progress_->note(text); },
         .warn = [this](const std::string& text) { session_.console.warn("{}", text); }});
  }

  void done(std::int64_t latents) {
    progress_->advance(latents);
    interpret::leave_if_asked([this] { return session_.stop->reason(); });
  }

  Session& session_;
  std::unique_ptr<interpret::Teacher> teacher_;
  std::optional<console::Progress> progress_;  ///< of the dictionary at hand
};

/// Makes the labels of a dictionary that was claimed.
void label_dictionary(Session& session, Classroom& classroom, std::size_t d) {
  const auto timer = session.timing.phase("interpret");
  const auto& dictionary = session.study.dictionaries[d];
  const auto& unit = session.ledger->labels(d);
  sae::Sae sae;
  parallel::together(session.world, "reading the SAE", [&] {
    sae = sae::read_saes(store::Reader(session.ledger->sae(d).path, "sae")).at(dictionary.seed);
  });
  interpret::NearestProbes nearest(session.study.probes, sae.h, sae.k);
  const auto codes = encode_all(session, d, sae, nearest);
  auto labels = classroom.label(codes, sae);
  parallel::together(session.world, "writing the labels", [&] {
    const auto writing = session.timing.phase("write");
    labels.nearest = nearest.gather(session.world);
    interpret::write_labels(session.world, unit.path, session.header(unit), labels, session.study.probes);
  });
  report(session, dictionary.name, labels.latents);
}

}  // namespace

void interpret(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::interpret, again);
  std::vector<const Unit*> needed;
  for (std::size_t d = 0; d < pending.size(); ++d) {
    if (!pending[d]) continue;
    needed.push_back(&session.ledger->sae(d));
    needed.push_back(&session.ledger->activations(session.study.dictionaries[d].site));
  }
  session.require(needed);
  Classroom classroom(session);
  Claims claims(session, session.world, session.ledger->of(deck::Stage::interpret), pending);
  for (auto mine = claims.next(1); !mine.empty(); mine = claims.next(1)) {
    session.leave_if_asked();
    label_dictionary(session, classroom, mine.front());
    claims.release(mine.front());
  }
  session.leave_if_asked();
}

}  // namespace incipit::command
