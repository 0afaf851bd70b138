#include <fmt/format.h>

#include <algorithm>

#include "command/harvest.hpp"
#include "command/parts.hpp"
#include "command/schedule.hpp"
#include "command/stages.hpp"
#include "command/team_weights.hpp"
#include "model/neox.hpp"
#include "model/precision.hpp"
#include "parallel/work.hpp"
#include "store/half.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// A dataset of [layer, probe, d].
struct Kept {
  const char* name;
  const char* meaning;
};

constexpr Kept residual_stream{"residual", "residual stream at the last token"};
constexpr Kept components_of_blocks[] = {
    {"attention_out", "what the block's attention added at the last token; row 0 is zero"},
    {"mlp_out", "what the block's MLP added at the last token; row 0 is zero"}};

std::vector<Kept> kept_of(const deck::Deck& deck, const Checkpoint& checkpoint) {
  std::vector<Kept> kept{residual_stream};
  if (keeps_components(deck, checkpoint))
    kept.insert(kept.end(), std::begin(components_of_blocks), std::end(components_of_blocks));
  return kept;
}

/// One checkpoint by one team.
class Extraction {
 public:
  Extraction(Session& session, const parallel::Communicator& team, std::size_t index,
             console::Progress& progress)
      : session_(session),
        team_(team),
        checkpoint_(session.study.checkpoints[index]),
        unit_(session.ledger->activations(index)),
        model_(session.study.model(checkpoint_)),
        text_(text_of(session.study, checkpoint_)),
        kept_(kept_of(session.deck, checkpoint_)),
        harvest_(text_.packs, checkpoint_.layers, model_.config.d),
        parts_(session.deck.run.output, unit_),
        cost_(extraction_cost(session.study, checkpoint_, session.deck)),
        weights_(
            session, team, checkpoint_,
            [this](const auto& weights) { return model::Neox::largest_part(weights, model_.config); }, cost_),
        progress_(progress) {}

  /// False when a stop was asked for before everything was there.
  bool run() {
    const bool in_parts = needs_parts();
    return run_pass(
        team_, parts_, in_parts, [&](const auto& there) { return forward(in_parts, there); },
        [&] { write(in_parts); });
  }

 private:
  /// Part files are for work that would hurt to lose, or whose rows do not fit into memory.
  bool needs_parts() const {
    const bool long_work = is_long(session_, team_, cost_, checkpoint_);
    return team_.any(long_work ||
                     row_bytes(session_.deck, session_.study, checkpoint_) * text_.tokens.size() >
                         session_.memory / 2);
  }

  /// Runs the packs that no part file holds, shared out over the team; false when a stop was asked for.
  bool forward(bool in_parts, const std::vector<PackRange>& there) {
    const LeaveShared leaving(weights_.shared());
    model::Neox neox(*session_.device, weights_.weights(), model_.config,
                     model::precision_of(session_.deck.run.precision), weights_.shared());
    held_ = share_packs(text_.packs, team_.size());
    const auto rank = static_cast<std::size_t>(team_.rank());
    const auto begin = held_[rank], end = held_[rank + 1];
    const auto rows = harvest_.positions(begin, end);
    if (!in_parts)
      memory_.assign(
          kept_.size() * checkpoint_.layers.size(),
          std::vector<float>(static_cast<std::size_t>((rows.end - rows.begin) * harvest_.width())));
    return each_wave(session_, cost_, text_.packs, {begin, end}, there,
                     [&](PackRange packs) { wave(neox, packs.first, packs.second, in_parts, rows.begin); });
  }

  void wave(model::Neox& neox, std::size_t first, std::size_t last, bool in_parts, std::int64_t origin) {
    const std::span<const corpus::Pack> packs(text_.packs.data() + first, last - first);
    const auto at = harvest_.positions(first, last);
    std::vector<std::vector<float>> part(in_parts ? kept_.size() * checkpoint_.layers.size() : 0);
    const auto keep = [&](std::size_t kind, int layer, std::span<const float> rows) {
      const auto slab = slab_of(kind, static_cast<std::size_t>(std::ranges::find(checkpoint_.layers, layer) -
                                                               checkpoint_.layers.begin()));
      if (in_parts) {
        part[slab].assign(rows.begin(), rows.end());
      } else {
        std::ranges::copy(rows, memory_[slab].begin() + (at.begin - origin) * harvest_.width());
      }
    };
    model::Neox::ComponentSink components;
    if (kept_.size() > 1)
      components = [&](int layer, std::span<const float> attention, std::span<const float> mlp) {
        keep(1, layer, attention);
        keep(2, layer, mlp);
      };
    {
      const auto timer = session_.timing.phase("forward");
      neox.run(
          packs, checkpoint_.layers, [&](int layer, std::span<const float> rows) { keep(0, layer, rows); },
          components);
    }
    if (in_parts) {
      const auto timer = session_.timing.phase("write");
      parts_.write(session_.header(unit_), first, last, at, part, harvest_.width());
    }
    session_.timing.add("forward", {.flops = tokens_of(packs) * cost_.flops_per_token});
    progress_.advance(static_cast<std::int64_t>(tokens_of(packs)));
  }

  /// Brings everything into the deck's order and makes the file, collectively over the team.
  void write(bool in_parts) {
    const auto timer = session_.timing.phase("write");
    std::vector<parallel::BlockRange> held;
    for (int r = 0; r < team_.size(); ++r)
      held.push_back(in_parts ? parallel::block_of(harvest_.probes(), team_.size(), r)
                              : harvest_.positions(held_[static_cast<std::size_t>(r)],
                                                   held_[static_cast<std::size_t>(r) + 1]));
    store::Writer file(team_, unit_.path, session_.header(unit_));
    file.attribute("", "model", model_.name);
    file.attribute("", "step", checkpoint_.step);
    write_axes(file);
    for (std::size_t kind = 0; kind < kept_.size(); ++kind) write_kept(file, kind, held, in_parts);
    file.commit();
  }

  void write_kept(store::Writer& file, std::size_t kind, const std::vector<parallel::BlockRange>& held,
                  bool in_parts) {
    const bool half = session_.deck.extract.dtype == "float16";
    const std::string name = kept_[kind].name;
    const store::About about{"1", kept_[kind].meaning};
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(checkpoint_.layers.size()),
                                          harvest_.probes(), harvest_.width()};
    if (half) {
      file.create<store::Half>(name, shape, about, {"layer", "probe_id", "d"});
    } else {
      file.create<float>(name, shape, about, {"layer", "probe_id", "d"});
    }
    const auto mine = held[static_cast<std::size_t>(team_.rank())];
    harvest_.deliver(
        team_, held,
        [&](std::size_t layer) {
          const auto slab = slab_of(kind, layer);
          return in_parts ? parts_.read<float>(slab, mine, harvest_.width()) : std::move(memory_[slab]);
        },
        [&](std::size_t layer, parallel::BlockRange block, std::span<const float> rows) {
          const std::vector<std::int64_t> start{static_cast<std::int64_t>(layer), block.begin, 0};
          const std::vector<std::int64_t> count{1, block.end - block.begin, harvest_.width()};
          if (half) {
            file.write_slab<store::Half>(name, start, count, store::to_half(rows));
          } else {
            file.write_slab<float>(name, start, count, rows);
          }
        });
  }

  /// Where a layer of one of the kinds that are kept lies, in memory and in part files.
  [[nodiscard]] std::size_t slab_of(std::size_t kind, std::size_t layer) const {
    return kind * checkpoint_.layers.size() + layer;
  }

  void write_axes(store::Writer& file) const {
    const std::vector<std::int32_t> layers(checkpoint_.layers.begin(), checkpoint_.layers.end());
    file.write<std::int32_t>("layer", {static_cast<std::int64_t>(layers.size())}, layers,
                             {"1", "layer: 0 the embedding output, l the residual stream after block l"});
    write_probes(file, session_.study, text_);
  }

  Session& session_;
  const parallel::Communicator& team_;
  const Checkpoint& checkpoint_;
  const Unit& unit_;
  const checkpoint::Model& model_;
  const Text& text_;
  std::vector<Kept> kept_;
  Harvest harvest_;
  Parts parts_;
  PassCost cost_;
  TeamWeights weights_;
  console::Progress& progress_;
  std::vector<std::size_t> held_;           ///< first pack of each rank of the team, and the end
  std::vector<std::vector<float>> memory_;  ///< [kept, layer] rows of this rank's positions
};

}  // namespace

void extract(Session& session, bool again) {
  each_checkpoint(
      session, deck::Stage::extract, again,
      [&](const Checkpoint& checkpoint) { return extraction_cost(session.study, checkpoint, session.deck); },
      [&](const parallel::Communicator& team, std::size_t checkpoint, console::Progress& progress) {
        return Extraction(session, team, checkpoint, progress).run();
      });
}

}  // namespace incipit::command
