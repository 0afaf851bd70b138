#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "checkpoint/weights.hpp"
#include "command/claim.hpp"
#include "command/harvest.hpp"
#include "command/parts.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "error.hpp"
#include "model/neox.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/half.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// What a host core is taken to do, until `calibrate` measures it. Only the balance of the work and the
/// choice to leave part files hang on it, never a result.
constexpr double assumed_flops = 5e10, assumed_bandwidth = 1e9;

double tokens_of(std::span<const corpus::Pack> packs) {
  double tokens = 0;
  for (const auto& pack : packs) tokens += static_cast<double>(pack.tokens.size());
  return tokens;
}

const Text& text_of(const Study& study, const Checkpoint& checkpoint) {
  return study.texts[static_cast<std::size_t>(study.text_of[static_cast<std::size_t>(checkpoint.model)])];
}

/// Seconds one thread is expected to take: the cost model of design §5.
double cost(const Study& study, const Checkpoint& checkpoint) {
  const auto& config = study.family.models[static_cast<std::size_t>(checkpoint.model)].config;
  const double depth = static_cast<double>(checkpoint.layers.back()) / static_cast<double>(config.layers);
  const double flops = config.flops_per_token() * tokens_of(text_of(study, checkpoint).packs) * depth;
  const double bytes = 2.0 * static_cast<double>(config.params()) * depth;
  return flops / assumed_flops + bytes / assumed_bandwidth + 0.01;
}

/// Which ranks work together, and on what: `team` of each rank and the checkpoints of each team in the order
/// they are done.
struct Schedule {
  std::vector<int> team;
  std::vector<std::vector<std::size_t>> work;
};

Schedule make_schedule(const Study& study, const std::vector<std::size_t>& todo, int ranks) {
  const auto teams = std::clamp(static_cast<int>(todo.size()), 1, ranks);
  Schedule schedule;
  for (int r = 0; r < ranks; ++r)
    schedule.team.push_back(static_cast<int>(static_cast<std::int64_t>(r) * teams / ranks));
  std::vector<double> costs;
  for (auto c : todo) costs.push_back(cost(study, study.checkpoints[c]));
  const auto owner = parallel::assign_longest_first(costs, teams);
  schedule.work.resize(static_cast<std::size_t>(teams));
  std::vector<std::size_t> order(todo.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](auto a, auto b) {  // SAEs wait for the anchors; then the longest first
    const bool anchor_a = study.checkpoints[todo[a]].anchor, anchor_b = study.checkpoints[todo[b]].anchor;
    return anchor_a != anchor_b ? anchor_a : costs[a] > costs[b];
  });
  for (auto i : order) schedule.work[static_cast<std::size_t>(owner[i])].push_back(todo[i]);
  return schedule;
}

/// The packs a rank of a team runs: contiguous, so that its rows are a block of positions, with about equal
/// numbers of tokens.
std::vector<std::size_t> share_packs(std::span<const corpus::Pack> packs, int ranks) {
  const double total = tokens_of(packs);
  std::vector<std::size_t> first(static_cast<std::size_t>(ranks) + 1, packs.size());
  first[0] = 0;
  double before = 0;
  int rank = 1;
  for (std::size_t p = 0; p < packs.size() && rank < ranks; ++p) {
    while (rank < ranks && before >= total * rank / ranks) first[static_cast<std::size_t>(rank++)] = p;
    before += static_cast<double>(packs[p].tokens.size());
  }
  return first;
}

/// How many packs from `first` on go through one wave: as many as memory allows, and no more than about
/// `seconds` of work, so that a stop is noticed and a part file left in good time.
std::size_t wave_end(const Session& session, const checkpoint::Config& config,
                     std::span<const corpus::Pack> packs, std::size_t first, std::size_t last,
                     std::size_t row_bytes, double seconds) {
  const auto fixed = model::Neox::bytes_fixed(config, session.deck.run.pack_tokens);
  const double rate = assumed_flops * session.threads;
  double tokens = 0;
  std::size_t end = first, captured = 0;
  while (end < last) {
    captured += packs[end].probes.size() * row_bytes;
    tokens += static_cast<double>(packs[end].tokens.size());
    const auto need =
        fixed + model::Neox::bytes_per_wave(config, packs.subspan(first, end + 1 - first)) + captured;
    if (need > session.memory && end == first)
      throw Error(
          Exit::machine,
          fmt::format(
              "a wave of one pack of {} tokens needs {:.2f} GiB, and this rank may use {:.2f} GiB: lower "
              "run.pack_tokens, run fewer ranks per node, or raise run.memory",
              packs[end].tokens.size(), std::ldexp(static_cast<double>(need), -30),
              std::ldexp(static_cast<double>(session.memory), -30)));
    if (need > session.memory || (end > first && tokens * config.flops_per_token() / rate > seconds)) break;
    ++end;
  }
  return end;
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
        model_(session.study.family.models[static_cast<std::size_t>(checkpoint_.model)]),
        text_(text_of(session.study, checkpoint_)),
        harvest_(text_.packs, checkpoint_.layers, model_.config.d),
        parts_(session.deck.run.output / "parts" / model_.name / fmt::format("step{}", checkpoint_.step),
               unit_),
        progress_(progress) {}

  /// False when a stop was asked for before everything was there.
  bool run() {
    const bool in_parts = needs_parts();
    std::vector<std::pair<std::size_t, std::size_t>> there;
    if (in_parts) there = parts_.find(team_);
    parallel::together(team_, "forward pass", [&] { forward(in_parts, there); });
    if (team_.any(stopped_)) return false;
    write(in_parts);
    if (in_parts) parts_.remove(team_);
    return true;
  }

 private:
  /// Part files are for work that would hurt to lose, or whose rows do not fit into memory.
  bool needs_parts() const {
    const double seconds = cost(session_.study, checkpoint_) / (session_.threads * team_.size());
    return team_.any(seconds > session_.deck.run.part_after ||
                     row_bytes() * text_.tokens.size() > session_.memory / 2);
  }
  std::size_t row_bytes() const {
    return checkpoint_.layers.size() * static_cast<std::size_t>(model_.config.d) * sizeof(float);
  }

  /// Runs the packs that no part file holds, shared out over the team.
  void forward(bool in_parts, const std::vector<std::pair<std::size_t, std::size_t>>& there) {
    const auto weights = checkpoint::Weights::open(checkpoint_.folder);
    model::Neox neox(*session_.device, weights, model_.config);
    held_ = share_packs(text_.packs, team_.size());
    const auto rank = static_cast<std::size_t>(team_.rank());
    const auto begin = held_[rank], end = held_[rank + 1];
    const auto rows = harvest_.positions(begin, end);
    if (!in_parts)
      memory_.assign(
          checkpoint_.layers.size(),
          std::vector<float>(static_cast<std::size_t>((rows.end - rows.begin) * harvest_.width())));
    const double patience = std::max(session_.deck.run.part_after, 1.0);
    for (auto first = begin; first < end;) {
      const auto covered =
          std::ranges::find_if(there, [&](auto part) { return part.first <= first && first < part.second; });
      if (covered != there.end()) {
        first = covered->second;
        continue;
      }
      std::size_t limit = end;
      for (const auto& part : there)
        if (part.first > first) limit = std::min(limit, part.first);
      const auto last = wave_end(session_, model_.config, text_.packs, first, limit, row_bytes(), patience);
      wave(neox, first, last, in_parts, rows.begin);
      first = last;
      stopped_ = first < end && session_.stop->asked();
      if (stopped_) return;
    }
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
          return in_parts ? parts_.read(layer, mine, harvest_.width()) : std::move(memory_[layer]);
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
    std::vector<std::string> ids;
    std::vector<std::int32_t> tokens;
    for (std::size_t i = 0; i < session_.study.probes.all.size(); ++i) {
      ids.push_back(session_.study.probes.all[i].id);
      tokens.push_back(static_cast<std::int32_t>(text_.tokens[i].size()));
    }
    const auto n = static_cast<std::int64_t>(ids.size());
    file.strings("probe_id", {n}, ids, {"1", "probe"});
    file.write<std::int32_t>("tokens", {n}, tokens, {"token", "tokens of the probe's text"}, {"probe_id"});
  }

  Session& session_;
  const parallel::Communicator& team_;
  const Checkpoint& checkpoint_;
  const Unit& unit_;
  const checkpoint::Model& model_;
  const Text& text_;
  Harvest harvest_;
  Parts parts_;
  console::Progress& progress_;
  std::vector<std::size_t> held_;           ///< first pack of each rank of the team, and the end
  std::vector<std::vector<float>> memory_;  ///< [layer] rows of this rank's positions
  bool stopped_ = false;
};

}  // namespace

void extract(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::extract, again);
  std::vector<std::size_t> todo;
  for (std::size_t c = 0; c < pending.size(); ++c)
    if (pending[c]) todo.push_back(c);
  if (todo.empty()) return;
  const auto schedule = make_schedule(session.study, todo, session.world.size());
  const int mine = schedule.team[static_cast<std::size_t>(session.world.rank())];
  const auto team = session.world.split(mine, session.world.rank());
  double tokens = 0;
  for (auto c : schedule.work[static_cast<std::size_t>(mine)]) {
    const std::span<const corpus::Pack> packs = text_of(session.study, session.study.checkpoints[c]).packs;
    const auto first = share_packs(packs, team.size());
    const auto rank = static_cast<std::size_t>(team.rank());
    tokens += tokens_of(packs.subspan(first[rank], first[rank + 1] - first[rank]));
  }
  console::Progress progress(session.console, "extract", static_cast<std::int64_t>(tokens),
                             "tokens of rank 0");
  parallel::together(session.world, "extract", [&] {
    for (auto c : schedule.work[static_cast<std::size_t>(mine)]) {
      if (team.any(session.stop->asked())) break;
      const auto claimed = claim(team, session.ledger->activations(c), *session.stop);
      if (claimed && !Extraction(session, team, c, progress).run()) break;
    }
  });
  session.leave_if_asked();
}

}  // namespace incipit::command
