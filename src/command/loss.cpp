#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "checkpoint/weights.hpp"
#include "command/command.hpp"
#include "command/deck_command.hpp"
#include "command/harvest.hpp"
#include "command/parts.hpp"
#include "command/schedule.hpp"
#include "command/stages.hpp"
#include "command/team_weights.hpp"
#include "console/table.hpp"
#include "error.hpp"
#include "model/next_token.hpp"
#include "model/precision.hpp"
#include "parallel/agree.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// Nats per token by which a loss must rise over the step before to be named: the last steps of a run that
/// goes well differ by less.
constexpr double visible_rise = 0.05;

constexpr const char* about =
    "usage: incipit loss DECK [--section.key=value ...]\n\n"
    "The mean next-token loss (nats) of the deck's probes at every step of every model that the deck\n"
    "selects, as a check of a ladder: the loss should fall from about ln(vocabulary) and stay down. Each\n"
    "token of a probe but the first is predicted from those before it. Reads the sections [family],\n"
    "[probes] (all but split) and [run]; anchors play no part. Writes OUTPUT/loss/MODEL/stepN.h5, one per\n"
    "checkpoint; those that are there already are not computed again. Checkpoints that fail the audit are\n"
    "left out unless run.audit = ignore.\n\n";

/// Tokens that are predicted of a probe.
std::int32_t predicted(const std::vector<std::int32_t>& tokens) {
  return static_cast<std::int32_t>(tokens.size()) - 1;
}

void require_predictions(const Study& study) {
  for (const auto& text : study.texts)
    if (std::ranges::all_of(text.tokens, [](const auto& tokens) { return predicted(tokens) == 0; }))
      throw Error(Exit::data, fmt::format("every probe is a single token of {}: there is nothing to predict. "
                                          "Use longer texts, or set probes.bos = yes",
                                          text.tokenizer.string()));
}

/// The losses of one checkpoint by one team.
class LossPass {
 public:
  LossPass(Session& session, const parallel::Communicator& team, std::size_t index,
           console::Progress& progress)
      : session_(session),
        team_(team),
        checkpoint_(session.study.checkpoints[index]),
        unit_(session.ledger->loss(index)),
        model_(session.study.model(checkpoint_)),
        text_(text_of(session.study, checkpoint_)),
        positions_(text_.packs, {}, 1),
        parts_(session.deck.run.output, unit_),
        cost_(loss_cost(session.study, checkpoint_, session.deck.run)),
        weights_(
            session, team, checkpoint_,
            [this](const auto& weights) { return model::NextToken::largest_part(weights, model_.config); },
            cost_),
        progress_(progress) {}

  /// False when a stop was asked for before everything was there.
  bool run() {
    const bool in_parts = is_long(session_, team_, cost_, checkpoint_);
    return run_pass(
        team_, parts_, in_parts, [&](const auto& there) { return forward(in_parts, there); },
        [&] { write(in_parts); });
  }

 private:
  /// Runs this rank's packs that no part file holds; false when a stop was asked for.
  bool forward(bool in_parts, const std::vector<PackRange>& there) {
    const LeaveShared leaving(weights_.shared());
    model::NextToken model(*session_.device, weights_.weights(), model_.config,
                           model::precision_of(session_.deck.run.precision), weights_.shared());
    const auto held = share_packs(text_.packs, team_.size());
    const auto rank = static_cast<std::size_t>(team_.rank());
    return each_wave(session_, cost_, text_.packs, {held[rank], held[rank + 1]}, there,
                     [&](PackRange range) { wave(model, range, in_parts); });
  }

  void wave(model::NextToken& model, PackRange range, bool in_parts) {
    const std::span<const corpus::Pack> packs(text_.packs.data() + range.first, range.second - range.first);
    std::vector<double> sums;
    {
      const auto timer = session_.timing.phase("forward");
      for (const auto& loss : model.run(packs)) sums.push_back(loss.sum);
    }
    if (in_parts) {
      const auto timer = session_.timing.phase("write");
      parts_.write<double>(session_.header(unit_), range.first, range.second,
                           positions_.positions(range.first, range.second), {sums}, 1);
    } else {
      sums_.insert(sums_.end(), sums.begin(), sums.end());
    }
    session_.timing.add("forward", {.flops = tokens_of(packs) * cost_.flops_per_token});
    progress_.advance(static_cast<std::int64_t>(tokens_of(packs)));
  }

  /// Makes the file, collectively over the team.
  void write(bool in_parts) {
    const auto timer = session_.timing.phase("write");
    if (in_parts)
      parallel::together(team_, "reading parts", [&] {
        sums_ =
            parts_.read<double>(0, parallel::block_of(positions_.probes(), team_.size(), team_.rank()), 1);
      });
    const auto sums = in_deck_order(team_.all_gather(sums_));
    std::vector<std::int32_t> predictions;
    for (const auto& tokens : text_.tokens) predictions.push_back(predicted(tokens));
    const double mean =
        std::accumulate(sums.begin(), sums.end(), 0.0) /
        static_cast<double>(std::accumulate(predictions.begin(), predictions.end(), std::int64_t{0}));
    const auto n = static_cast<std::int64_t>(sums.size());
    store::Writer file(team_, unit_.path, session_.header(unit_));
    file.attribute("", "model", model_.name);
    file.attribute("", "step", checkpoint_.step);
    write_probes(file, session_.study, text_);
    file.write<std::int32_t>("predicted", {n}, predictions, {"token", "tokens predicted: all but the first"},
                             {"probe_id"});
    file.write<double>("loss_sum", {n}, sums, {"nat", "sum of the losses of the predicted tokens"},
                       {"probe_id"});
    file.scalar<double>("loss", mean, {"nat", "mean loss of a predicted token over all probes"});
    file.commit();
  }

  /// The ranks of a team hold ranges of positions one after the other, so gathered sums are in pack order.
  [[nodiscard]] std::vector<double> in_deck_order(const std::vector<double>& in_pack_order) const {
    std::vector<double> sums(in_pack_order.size());
    std::size_t position = 0;
    for (const auto& pack : text_.packs)
      for (const auto probe : pack.probes) sums[static_cast<std::size_t>(probe)] = in_pack_order[position++];
    return sums;
  }

  Session& session_;
  const parallel::Communicator& team_;
  const Checkpoint& checkpoint_;
  const Unit& unit_;
  const checkpoint::Model& model_;
  const Text& text_;
  Harvest positions_;
  Parts parts_;
  PassCost cost_;
  TeamWeights weights_;
  console::Progress& progress_;
  std::vector<double> sums_;  ///< of this rank's probes, in pack order
};

/// One line of the table.
struct Row {
  std::int64_t step;
  double loss;
  std::int64_t predicted;
};

Row read_row(const Unit& unit, std::int64_t step) {
  const store::Reader file(unit.path, "loss");
  const auto counts = file.read<std::int32_t>("predicted");
  return {step, file.scalar<double>("loss"), std::accumulate(counts.begin(), counts.end(), std::int64_t{0})};
}

/// What in a row is not as in a ladder that learns; empty for most.
std::string note_on(const Row& row, const Row* before, std::int64_t vocabulary) {
  std::string note;
  if (before != nullptr && row.loss > before->loss + visible_rise)
    note = fmt::format("rises by {:.2f} over step {}", row.loss - before->loss, before->step);
  const double blind = std::log(static_cast<double>(vocabulary));
  if (row.loss > blind)
    note +=
        fmt::format("{}above ln({}) = {:.2f}, a blind guess", note.empty() ? "" : "; ", vocabulary, blind);
  return note;
}

/// Of all checkpoints, from their files. Rank 0's.
std::string losses_table(const Session& session) {
  using Place = console::Table::Side;
  console::Table table({{"model", Place::left},
                        {"step", Place::right},
                        {"loss", Place::right},
                        {"perplexity", Place::right},
                        {"tokens", Place::right},
                        {"note", Place::left}});
  const auto& study = session.study;
  Row before{};
  for (std::size_t c = 0; c < study.checkpoints.size(); ++c) {
    const auto& checkpoint = study.checkpoints[c];
    const bool first = c == 0 || study.checkpoints[c - 1].model != checkpoint.model;
    const auto& model = study.model(checkpoint);
    const Row row = read_row(session.ledger->loss(c), checkpoint.step);
    table.row({model.name, std::to_string(row.step), fmt::format("{:.4f}", row.loss),
               fmt::format("{:.1f}", std::exp(row.loss)), std::to_string(row.predicted),
               note_on(row, first ? nullptr : &before, model.config.vocab)});
    before = row;
  }
  return table.text();
}

void print_losses(Session& session) {
  std::string text;
  parallel::together(session.world, "reading losses", [&] {
    if (session.world.root()) text = losses_table(session);
  });
  session.console.line("\nMean loss of a predicted token, nats");
  session.console.block(text);
}

}  // namespace

void refuse_lossless(const Session& session, bool again) {
  const auto& study = session.study;
  const auto pending = session.pending(deck::Stage::loss, again);
  parallel::together(session.world, "checking what is to be predicted", [&] {
    if (pending.empty() || !session.world.root()) return;
    require_predictions(study);
    for (std::size_t c = 0; c < pending.size(); ++c)
      if (pending[c])
        checkpoint::check_tensors(checkpoint::Weights::open(study.checkpoints[c].folder),
                                  study.model(study.checkpoints[c]).config);
  });
}

void losses(Session& session, bool again) {
  each_checkpoint(
      session, deck::Stage::loss, again,
      [&](const Checkpoint& checkpoint) { return loss_cost(session.study, checkpoint, session.deck.run); },
      [&](const parallel::Communicator& team, std::size_t checkpoint, console::Progress& progress) {
        return LossPass(session, team, checkpoint, progress).run();
      });
}

void loss(const parallel::Communicator& world, const std::vector<std::string>& words) {
  const auto deck = read_deck(world, words, about);
  if (!deck) return;
  const auto session = open_session(world, *deck, "loss", Scope::ladder);
  refuse_lossless(*session, true);
  losses(*session, true);
  print_losses(*session);
  close_session(*session);
}

}  // namespace incipit::command
