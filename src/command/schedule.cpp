#include "command/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "command/claim.hpp"
#include "device/device.hpp"
#include "error.hpp"
#include "model/neox.hpp"
#include "model/precision.hpp"
#include "model/wave.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"

namespace incipit::command {
namespace {

/// What a host core is taken to do, until `calibrate` measures it.
constexpr double assumed_flops = 5e10, assumed_bandwidth = 1e9;

/// Which ranks work together, and on what: `team` of each rank and the checkpoints of each team in the order
/// they are done.
struct Schedule {
  std::vector<int> team;
  std::vector<std::vector<std::size_t>> work;
};

Schedule make_schedule(const Study& study, const std::vector<std::size_t>& todo,
                       const std::vector<double>& costs, int ranks) {
  const auto teams = std::clamp(static_cast<int>(todo.size()), 1, ranks);
  Schedule schedule;
  for (int r = 0; r < ranks; ++r)
    schedule.team.push_back(static_cast<int>(static_cast<std::int64_t>(r) * teams / ranks));
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

std::string size_text(std::uint64_t bytes) {
  const double number = static_cast<double>(bytes);
  return bytes < (std::uint64_t{1} << 30U) ? fmt::format("{:.1f} MiB", std::ldexp(number, -20))
                                           : fmt::format("{:.2f} GiB", std::ldexp(number, -30));
}

[[noreturn]] void too_large(const corpus::Pack& pack, std::size_t need, std::uint64_t memory) {
  throw Error(Exit::machine,
              fmt::format("a wave of one pack of {} tokens needs {}, and this rank may use {}: lower "
                          "run.pack_tokens, run fewer ranks per node, or raise run.memory",
                          pack.tokens.size(), size_text(need), size_text(memory)));
}

/// Where the wave that begins with pack `first` ends, `last` at the most.
std::size_t wave_end(const Session& session, const PassCost& cost, std::span<const corpus::Pack> packs,
                     std::size_t first, std::size_t last, double seconds) {
  const double rate = assumed_flops * session.threads;
  double tokens = 0;
  std::size_t end = first;
  while (end < last) {
    tokens += static_cast<double>(packs[end].tokens.size());
    const auto need = cost.bytes_held + cost.wave_bytes(packs.subspan(first, end + 1 - first));
    if (need > session.memory && end == first) too_large(packs[end], need, session.memory);
    if (need > std::min(session.memory, session.wave_limit) && end > first) break;
    if (end > first && tokens * cost.flops_per_token / rate > seconds) break;
    ++end;
  }
  return end;
}

/// After the wave of these packs ran out of memory: no wave takes more than half of it from now on. Somebody
/// else may have taken the memory, or the cost model is wrong; either way the night is not lost.
void shrink_waves(Session& session, const PassCost& cost, std::span<const corpus::Pack> wave,
                  const device::OutOfMemory& error) {
  const auto need = cost.bytes_held + cost.wave_bytes(wave);
  if (wave.size() == 1)
    throw Error(Exit::machine,
                fmt::format("a wave of one pack of {} tokens, which should need {}, does not fit: {}",
                            wave.front().tokens.size(), size_text(need), error.what()));
  session.wave_limit = cost.bytes_held + cost.wave_bytes(wave.first(wave.size() / 2));
  ++session.shrunken_waves;
  session.console.warn("a wave of {} packs ({}) ran out of memory: waves of at most {} from here on ({})",
                       wave.size(), size_text(need), size_text(session.wave_limit), error.what());
}

/// Rank 0 has spoken of its own as they came.
void tell_of_shrunken_waves(Session& session) {
  const auto others = session.world.sum(session.world.root() ? 0 : std::exchange(session.shrunken_waves, 0));
  if (others > 0)
    session.console.warn(
        "other ranks ran out of memory {} times and went on with fewer packs at a time; a lower run.memory "
        "would save them the attempts",
        others);
}

}  // namespace

double PassCost::seconds(double tokens) const {
  return flops_per_token * tokens / assumed_flops + bytes_read / assumed_bandwidth + 0.01;
}

PassCost forward_cost(const Study& study, const Checkpoint& checkpoint, const deck::RunOptions& run,
                      std::size_t row, bool components) {
  const auto precision = model::precision_of(run.precision);
  const auto& config = study.model(checkpoint).config;
  const double depth = static_cast<double>(checkpoint.layers.back()) / static_cast<double>(config.layers);
  PassCost cost;
  cost.flops_per_token = config.flops_per_token() * depth;
  cost.bytes_read = 2.0 * static_cast<double>(config.params()) * depth;
  cost.bytes_held = model::Neox::bytes_fixed(config, run.pack_tokens, precision);
  cost.wave_bytes = [&config, row, precision, components](std::span<const corpus::Pack> packs) {
    return model::Neox::bytes_per_wave(config, packs, precision, components) +
           static_cast<std::size_t>(model::probes_of(packs)) * row;
  };
  return cost;
}

double tokens_of(std::span<const corpus::Pack> packs) {
  double tokens = 0;
  for (const auto& pack : packs) tokens += static_cast<double>(pack.tokens.size());
  return tokens;
}

const Text& text_of(const Study& study, const Checkpoint& checkpoint) {
  return study.texts[static_cast<std::size_t>(study.text_of[static_cast<std::size_t>(checkpoint.model)])];
}

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

bool each_wave(Session& session, const PassCost& cost, std::span<const corpus::Pack> packs, PackRange range,
               const std::vector<PackRange>& there, const std::function<void(PackRange)>& wave) {
  const double patience = std::max(session.deck.run.part_after, 1.0);
  for (auto first = range.first; first < range.second;) {
    const auto covered =
        std::ranges::find_if(there, [&](auto part) { return part.first <= first && first < part.second; });
    if (covered != there.end()) {
      first = covered->second;
      continue;
    }
    std::size_t limit = range.second;
    for (const auto& part : there)
      if (part.first > first) limit = std::min(limit, part.first);
    const auto last = wave_end(session, cost, packs, first, limit, patience);
    try {
      wave({first, last});
    } catch (const device::OutOfMemory& error) {
      shrink_waves(session, cost, packs.subspan(first, last - first), error);
      continue;
    }
    first = last;
    if (first < range.second && session.stop->asked()) return false;
  }
  return true;
}

bool is_long(const Session& session, const parallel::Communicator& team, const PassCost& cost,
             const Checkpoint& checkpoint) {
  const double tokens = tokens_of(text_of(session.study, checkpoint).packs);
  return team.any(cost.seconds(tokens) / (session.threads * team.size()) > session.deck.run.part_after);
}

bool run_pass(const parallel::Communicator& team, Parts& parts, bool in_parts,
              const std::function<bool(const std::vector<PackRange>& there)>& forward,
              const std::function<void()>& write) {
  std::vector<PackRange> there;
  if (in_parts) there = parts.find(team);
  bool done = false;
  parallel::together(team, "forward pass", [&] { done = forward(there); });
  if (team.any(!done)) return false;
  write();
  if (in_parts) parts.remove(team);
  return true;
}

void write_probes(store::Writer& file, const Study& study, const Text& text) {
  std::vector<std::string> ids;
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < study.probes.all.size(); ++i) {
    ids.push_back(study.probes.all[i].id);
    tokens.push_back(static_cast<std::int32_t>(text.tokens[i].size()));
  }
  const auto n = static_cast<std::int64_t>(ids.size());
  file.strings("probe_id", {n}, ids, {"1", "probe"});
  file.write<std::int32_t>("tokens", {n}, tokens, {"token", "tokens of the probe's text"}, {"probe_id"});
}

void each_checkpoint(
    Session& session, deck::Stage stage, bool again, const std::function<PassCost(const Checkpoint&)>& cost,
    const std::function<bool(const parallel::Communicator&, std::size_t, console::Progress&)>& work) {
  const auto& study = session.study;
  const auto pending = session.pending(stage, again);
  std::vector<std::size_t> todo;
  std::vector<double> costs;
  for (std::size_t c = 0; c < pending.size(); ++c) {
    if (!pending[c]) continue;
    const auto& checkpoint = study.checkpoints[c];
    todo.push_back(c);
    costs.push_back(cost(checkpoint).seconds(tokens_of(text_of(study, checkpoint).packs)));
  }
  if (todo.empty()) return;
  const auto schedule = make_schedule(study, todo, costs, session.world.size());
  const int mine = schedule.team[static_cast<std::size_t>(session.world.rank())];
  const auto team = session.world.split(mine, session.world.rank());
  double tokens = 0;
  for (auto c : schedule.work[static_cast<std::size_t>(mine)]) {
    const std::span<const corpus::Pack> packs = text_of(study, study.checkpoints[c]).packs;
    const auto first = share_packs(packs, team.size());
    const auto rank = static_cast<std::size_t>(team.rank());
    tokens += tokens_of(packs.subspan(first[rank], first[rank + 1] - first[rank]));
  }
  const std::string name(deck::name_of(stage));
  console::Progress progress(session.console, name, static_cast<std::int64_t>(tokens), "tokens of rank 0");
  parallel::together(session.world, name, [&] {
    const auto units = session.ledger->of(stage);
    for (auto c : schedule.work[static_cast<std::size_t>(mine)]) {
      if (team.any(session.stop->asked())) break;
      const auto claimed = claim(session, team, *units[c]);
      if (claimed && !work(team, c, progress)) break;
    }
  });
  tell_of_shrunken_waves(session);
  session.leave_if_asked();
}

}  // namespace incipit::command
