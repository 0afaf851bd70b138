#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/random_weights.hpp"
#include "checkpoint/weights.hpp"
#include "command/harvest.hpp"
#include "command/parts.hpp"
#include "command/schedule.hpp"
#include "command/stages.hpp"
#include "model/neox.hpp"
#include "model/precision.hpp"
#include "parallel/work.hpp"
#include "store/half.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// Of all layers of one probe.
std::size_t row_bytes(const Checkpoint& checkpoint, const checkpoint::Config& config) {
  return checkpoint.layers.size() * static_cast<std::size_t>(config.d) * sizeof(float);
}

PassCost extraction_cost(const Study& study, const Checkpoint& checkpoint, const deck::RunOptions& run) {
  const auto precision = model::precision_of(run.precision);
  const auto& config = study.model(checkpoint).config;
  const double depth = static_cast<double>(checkpoint.layers.back()) / static_cast<double>(config.layers);
  const std::size_t row = row_bytes(checkpoint, config);
  PassCost cost;
  cost.flops_per_token = config.flops_per_token() * depth;
  cost.bytes_read = 2.0 * static_cast<double>(config.params()) * depth;
  cost.bytes_held = model::Neox::bytes_fixed(config, run.pack_tokens, precision);
  cost.wave_bytes = [&config, row, precision](std::span<const corpus::Pack> packs) {
    std::size_t probes = 0;
    for (const auto& pack : packs) probes += pack.probes.size();
    return model::Neox::bytes_per_wave(config, packs, precision) + probes * row;
  };
  return cost;
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
        harvest_(text_.packs, checkpoint_.layers, model_.config.d),
        parts_(session.deck.run.output / "parts" / model_.name / checkpoint_.name(), unit_),
        cost_(extraction_cost(session.study, checkpoint_, session.deck.run)),
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
                     row_bytes(checkpoint_, model_.config) * text_.tokens.size() > session_.memory / 2);
  }

  /// Runs the packs that no part file holds, shared out over the team; false when a stop was asked for.
  bool forward(bool in_parts, const std::vector<PackRange>& there) {
    const auto weights = checkpoint_.random()
                             ? checkpoint::random_weights(model_.config, session_.deck.run.seed)
                             : checkpoint::Weights::open(checkpoint_.folder);
    model::Neox neox(*session_.device, weights, model_.config,
                     model::precision_of(session_.deck.run.precision));
    held_ = share_packs(text_.packs, team_.size());
    const auto rank = static_cast<std::size_t>(team_.rank());
    const auto begin = held_[rank], end = held_[rank + 1];
    const auto rows = harvest_.positions(begin, end);
    if (!in_parts)
      memory_.assign(
          checkpoint_.layers.size(),
          std::vector<float>(static_cast<std::size_t>((rows.end - rows.begin) * harvest_.width())));
    return each_wave(session_, cost_, text_.packs, {begin, end}, there,
                     [&](PackRange packs) { wave(neox, packs.first, packs.second, in_parts, rows.begin); });
  }

  void wave(model::Neox& neox, std::size_t first, std::size_t last, bool in_parts, std::int64_t origin) {
    const std::span<const corpus::Pack> packs(text_.packs.data() + first, last - first);
    const auto at = harvest_.positions(first, last);
    std::vector<std::vector<float>> part(in_parts ? checkpoint_.layers.size() : 0);
    {
      const auto timer = session_.timing.phase("forward");
      neox.run(packs, checkpoint_.layers, [&](int layer, std::span<const float> rows) {
        const auto l = static_cast<std::size_t>(std::ranges::find(checkpoint_.layers, layer) -
                                                checkpoint_.layers.begin());
        if (in_parts) {
          part[l].assign(rows.begin(), rows.end());
        } else {
          std::ranges::copy(rows, memory_[l].begin() + (at.begin - origin) * harvest_.width());
        }
      });
    }
    if (in_parts) {
      const auto timer = session_.timing.phase("write");
      parts_.write(session_.header(unit_), first, last, at, part, harvest_.width());
    }
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
    const bool half = session_.deck.extract.dtype == "float16";
    const store::About about{"1", "residual stream at the last token"};
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(checkpoint_.layers.size()),
                                          harvest_.probes(), harvest_.width()};
    if (half) {
      file.create<store::Half>("residual", shape, about, {"layer", "probe_id", "d"});
    } else {
      file.create<float>("residual", shape, about, {"layer", "probe_id", "d"});
    }
    const auto mine = held[static_cast<std::size_t>(team_.rank())];
    harvest_.deliver(
        team_, held,
        [&](std::size_t layer) {
          return in_parts ? parts_.read<float>(layer, mine, harvest_.width()) : std::move(memory_[layer]);
        },
        [&](std::size_t layer, parallel::BlockRange block, std::span<const float> rows) {
          const std::vector<std::int64_t> start{static_cast<std::int64_t>(layer), block.begin, 0};
          const std::vector<std::int64_t> count{1, block.end - block.begin, harvest_.width()};
          if (half) {
            file.write_slab<store::Half>("residual", start, count, store::to_half(rows));
          } else {
            file.write_slab<float>("residual", start, count, rows);
          }
        });
    file.commit();
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
  Harvest harvest_;
  Parts parts_;
  PassCost cost_;
  console::Progress& progress_;
  std::vector<std::size_t> held_;           ///< first pack of each rank of the team, and the end
  std::vector<std::vector<float>> memory_;  ///< [layer] rows of this rank's positions
};

}  // namespace

void extract(Session& session, bool again) {
  each_checkpoint(
      session, deck::Stage::extract, again,
      [&](const Checkpoint& checkpoint) {
        return extraction_cost(session.study, checkpoint, session.deck.run);
      },
      [&](const parallel::Communicator& team, std::size_t checkpoint, console::Progress& progress) {
        return Extraction(session, team, checkpoint, progress).run();
      });
}

}  // namespace incipit::command
