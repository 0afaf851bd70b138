#include "command/ablate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "align/linear_algebra.hpp"
#include "checkpoint/weights.hpp"
#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/schedule.hpp"
#include "emergence/attribution.hpp"
#include "error.hpp"
#include "model/neox.hpp"
#include "model/precision.hpp"
#include "parallel/agree.hpp"
#include "store/hash.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

using emergence::component_layer;
using emergence::component_name;

/// "attention 3" as a file's name.
std::string file_name(std::int64_t component) {
  return fmt::format("{}-{}.h5", emergence::is_attention(component) ? "attention" : "mlp",
                     component_layer(component));
}

/// What an ablation hangs on is what the attribution does, and the component.
Unit unit_of(const Session& session, std::size_t anchor, std::int64_t component) {
  Unit unit = session.ledger->attribution(anchor);
  unit.kind = "ablation";
  unit.path = unit.path.parent_path() / session.study.anchors[anchor].name / file_name(component);
  unit.fingerprint = unit.lineage =
      store::sha256(fmt::format("{} without {}", unit.fingerprint, component_name(component)));
  return unit;
}

/// The forward pass without a component, its packs shared out over all ranks.
class AblatedPass {
 public:
  AblatedPass(Session& session, const Site& site, std::int64_t component)
      : session_(session),
        checkpoint_(session.study.checkpoints[session.study.checkpoint_of(site)]),
        config_(session.study.model(checkpoint_).config),
        text_(text_of(session.study, checkpoint_)),
        component_(component),
        first_(component_layer(component)),
        held_(share_packs(text_.packs, session.world.size())),
        rows_(checkpoint_.layers.size()) {
    for (const auto& pack : text_.packs) order_.insert(order_.end(), pack.probes.begin(), pack.probes.end());
  }

  /// False when a stop was asked for.
  bool run(console::Progress& progress) {
    const auto weights = checkpoint::Weights::open(checkpoint_.folder);
    const auto precision = model::precision_of(session_.deck.run.precision);
    model::Neox neox(*session_.device, weights, config_, precision);
    const std::vector<model::Neox::Replacement> replaced{
        {static_cast<int>(first_),
         emergence::is_attention(component_) ? model::Component::attention : model::Component::mlp,
         mean_output()}};
    const auto rank = static_cast<std::size_t>(session_.world.rank());
    const auto timer = session_.timing.phase("ablate");
    // The layers of the extraction: the last of them takes a way of its own through its block.
    return each_wave(session_, cost(), text_.packs, {held_[rank], held_[rank + 1]}, {}, [&](PackRange range) {
      const auto packs = std::span(text_.packs).subspan(range.first, range.second - range.first);
      std::vector<std::vector<float>> wave(rows_.size());
      neox.run(
          packs, checkpoint_.layers,
          [&](int layer, std::span<const float> rows) {
            if (layer >= first_) wave[slot(layer)].assign(rows.begin(), rows.end());
          },
          {}, replaced);
      // Kept once the wave is through: one that runs out of memory is begun again.
      for (std::size_t l = 0; l < rows_.size(); ++l)
        rows_[l].insert(rows_[l].end(), wave[l].begin(), wave[l].end());
      progress.advance(static_cast<std::int64_t>(tokens_of(packs)));
    });
  }

  /// Brings the rows of a layer to one rank, those of `probes`: [probes, d]; none on the others. Collective.
  [[nodiscard]] std::vector<float> collect(int layer, int rank, const std::vector<std::int64_t>& probes) {
    const auto mine = std::move(rows_[slot(layer)]);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(session_.world.size()), 0);
    counts[static_cast<std::size_t>(rank)] = static_cast<std::int64_t>(mine.size());
    const auto all =
        session_.world.all_to_all(std::span<const float>(mine), std::span<const std::int64_t>(counts));
    std::vector<float> chosen;
    if (session_.world.rank() != rank) return chosen;
    std::vector<std::int64_t> position(order_.size());
    for (std::size_t p = 0; p < order_.size(); ++p)
      position[static_cast<std::size_t>(order_[p])] = static_cast<std::int64_t>(p);
    for (const auto probe : probes) {
      const auto from = all.begin() + position[static_cast<std::size_t>(probe)] * config_.d;
      chosen.insert(chosen.end(), from, from + config_.d);
    }
    return chosen;
  }

  /// Tokens that this rank runs.
  [[nodiscard]] std::int64_t tokens() const {
    const auto rank = static_cast<std::size_t>(session_.world.rank());
    return static_cast<std::int64_t>(
        tokens_of(std::span(text_.packs).subspan(held_[rank], held_[rank + 1] - held_[rank])));
  }

 private:
  [[nodiscard]] std::size_t slot(int layer) const {
    return static_cast<std::size_t>(std::ranges::find(checkpoint_.layers, layer) -
                                    checkpoint_.layers.begin());
  }

  /// Over all probes of the deck.
  [[nodiscard]] std::vector<float> mean_output() const {
    const auto probes = static_cast<std::int64_t>(order_.size());
    const Activations file(session_.ledger->activations({checkpoint_.model, checkpoint_.step, 0}).path,
                           probes);
    const auto rows = file.rows_of(emergence::is_attention(component_) ? "attention_out" : "mlp_out",
                                   static_cast<int>(first_), parallel::BlockRange{0, probes});
    const auto mean = align::column_means({rows, probes, config_.d});
    return {mean.begin(), mean.end()};
  }

  /// A wave's rows stand twice in memory until it is through.
  [[nodiscard]] PassCost cost() const {
    const std::size_t row = checkpoint_.layers.size() * static_cast<std::size_t>(config_.d) * sizeof(float);
    return forward_cost(session_.study, checkpoint_, session_.deck.run, 2 * row, true);
  }

  Session& session_;
  const Checkpoint& checkpoint_;
  const checkpoint::Config& config_;
  const Text& text_;
  std::int64_t component_, first_;
  std::vector<std::size_t> held_;         ///< first pack of each rank, and the end
  std::vector<std::int64_t> order_;       ///< position → probe
  std::vector<std::vector<float>> rows_;  ///< [layer] of this rank's positions; empty before the component's
};

/// What the dictionary reads at the layers of a curve, before and after.
class AblatedReading {
 public:
  AblatedReading(Session& session, std::size_t anchor, const Judged& judged, std::int64_t component)
      : session_(session),
        site_(session.study.anchors[anchor].site),
        judged_(judged),
        dictionary_(session, anchor),
        sets_(*session.device, dictionary_.matched, dictionary_.sae.h) {
    found_.component = component;
    found_.subjects = session.study.probes.subjects;
    for (const auto& point : space_curve(session.study.anchors[anchor])->points)
      if (point.layer >= component_layer(component)) found_.layer.push_back(point.layer);
  }

  [[nodiscard]] const std::vector<std::int64_t>& layers() const { return found_.layer; }
  [[nodiscard]] int owner(std::size_t point) const {
    return static_cast<int>(point % static_cast<std::size_t>(session_.world.size()));
  }

  /// On the owner of the point. `after`: [n, d] of the judged probes.
  void measure(std::size_t point, std::vector<float> after) {
    const Activations file(session_.ledger->activations(site_).path,
                           static_cast<std::int64_t>(session_.study.probes.all.size()));
    const auto before = file.rows(static_cast<int>(found_.layer[point]), judged_.probes);
    const auto change = emergence::site_change(encode(before), encode(std::move(after)), sets_, judged_.set,
                                               judged_.resampling);
    mine_.insert(mine_.end(), change.contrast.begin(), change.contrast.end());
    mine_.insert(mine_.end(), change.auc.begin(), change.auc.end());
  }

  /// What all ranks measured. Collective.
  [[nodiscard]] emergence::Ablation gathered() {
    const auto all = session_.world.all_gather(mine_);
    const auto subjects = static_cast<std::ptrdiff_t>(found_.subjects.size());
    found_.contrast.resize(found_.layer.size() * found_.subjects.size());
    found_.auc = found_.contrast;
    auto from = all.begin();
    for (int rank = 0; rank < session_.world.size(); ++rank)
      for (std::size_t p = 0; p < found_.layer.size(); ++p) {
        if (owner(p) != rank) continue;
        const auto place = static_cast<std::ptrdiff_t>(p) * subjects;
        std::copy_n(from, subjects, found_.contrast.begin() + place);
        std::copy_n(from + subjects, subjects, found_.auc.begin() + place);
        from += 2 * subjects;
      }
    return found_;
  }

 private:
  [[nodiscard]] emergence::SiteCodes encode(std::vector<float> rows) const {
    sae::normalise(rows, dictionary_.sae.mean, dictionary_.sae.scale, rows);
    return emergence::encode_site(dictionary_.sae, rows, sets_, judged_.resampling);
  }

  Session& session_;
  const Site& site_;
  const Judged& judged_;
  MatchedDictionary dictionary_;
  emergence::MatchedSets sets_;
  emergence::Ablation found_;
  std::vector<emergence::Change> mine_;  ///< of this rank's points, [2, subject] each
};

emergence::Ablation compute(Session& session, std::size_t anchor, const Judged& judged,
                            std::int64_t component) {
  std::optional<AblatedPass> pass;
  std::optional<AblatedReading> reading;
  parallel::together(session.world, "reading the anchor", [&] {
    pass.emplace(session, session.study.anchors[anchor].site, component);
    reading.emplace(session, anchor, judged, component);
  });
  console::Progress progress(session.console, "without " + component_name(component), pass->tokens(),
                             "tokens of rank 0");
  parallel::together(session.world, "forward pass", [&] { static_cast<void>(pass->run(progress)); });
  session.leave_if_asked();
  progress.finish();
  for (std::size_t p = 0; p < reading->layers().size(); ++p) {
    auto rows = pass->collect(static_cast<int>(reading->layers()[p]), reading->owner(p), judged.probes);
    parallel::together(session.world, "measures without the component", [&] {
      const auto timer = session.timing.phase("ablate");
      if (reading->owner(p) == session.world.rank()) reading->measure(p, std::move(rows));
    });
  }
  return reading->gathered();
}

}  // namespace

emergence::Ablation ablate(Session& session, std::size_t anchor, const Judged& judged,
                           std::int64_t component) {
  const Unit unit = unit_of(session, anchor, component);
  const auto claimed = claim(session, session.world, unit);
  session.leave_if_asked();
  if (claimed) {
    const auto found = compute(session, anchor, judged, component);
    parallel::together(session.world, "writing the ablation", [&] {
      const auto writing = session.timing.phase("write");
      store::Writer file(session.world, unit.path, session.header(unit));
      const auto& site = session.study.anchors[anchor].site;
      file.attribute("", "model", session.study.model(site).name);
      file.attribute("", "step", site.step);
      emergence::write_ablation(file, found);
      file.commit();
    });
  }
  emergence::Ablation found;
  parallel::together(session.world, "reading the ablation",
                     [&] { found = emergence::read_ablation(unit.path, component); });
  return found;
}

}  // namespace incipit::command
