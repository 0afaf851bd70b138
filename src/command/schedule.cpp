#include "command/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "command/claim.hpp"
#include "device/device.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/counter.hpp"
#include "plan/teams.hpp"

namespace incipit::command {
namespace {

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

/// The passes that a team does, one after the other: those dealt to it; with run.queue only the first of
/// these, and then whatever is left to all whenever it is done.
class Turns {
 public:
  /// Collective over the job.
  Turns(const Session& session, const plan::Teams& teams, std::size_t team,
        std::span<const plan::Pass> passes)
      : own_(teams.work[team]) {
    if (!session.deck.run.queue) return;
    left_ = plan::left_to_all(teams, passes);
    if (left_.empty()) return;
    own_.resize(std::min<std::size_t>(own_.size(), 1));
    counter_.emplace(session.world);
  }

  /// Those known beforehand.
  [[nodiscard]] const std::vector<std::size_t>& own() const { return own_; }
  /// Whether others may follow.
  [[nodiscard]] bool open() const { return counter_.has_value(); }

  /// Nothing when there is none left. Collective over the team: its root takes a number.
  std::optional<std::size_t> next(const parallel::Communicator& team) {
    if (at_ < own_.size()) return own_[at_++];
    if (!counter_) return std::nullopt;
    std::vector<std::int64_t> number(1);
    parallel::together(team, "taking the next checkpoint", [&] {
      if (team.root()) number.front() = counter_->next();
    });
    team.broadcast(number);
    const auto place = static_cast<std::size_t>(number.front());
    return place < left_.size() ? std::optional(left_[place]) : std::nullopt;
  }

 private:
  std::vector<std::size_t> own_, left_;
  std::size_t at_ = 0;
  std::optional<parallel::Counter> counter_;
};

/// Tokens of a rank's share of a checkpoint.
double tokens_of_rank(const Study& study, const Checkpoint& checkpoint, const parallel::Communicator& team) {
  const std::span<const corpus::Pack> packs = text_of(study, checkpoint).packs;
  const auto first = share_packs(packs, team.size());
  const auto rank = static_cast<std::size_t>(team.rank());
  return tokens_of(packs.subspan(first[rank], first[rank + 1] - first[rank]));
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
    const auto last = wave_end(WaveLimits::of(session), cost, session.rates, packs, first, limit);
    try {
      ++session.facts.waves;
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
  const auto pass = pass_of(cost, session.study, checkpoint, session.rates, 1, session.world.size());
  const int per_node = plan::most_on_a_node(session.nodes);
  const int nodes = (team.size() + per_node - 1) / per_node;
  return team.any(pass.seconds_with(team.size(), nodes) > session.deck.run.part_after);
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
  std::vector<plan::Pass> passes;
  PassMaker make(study, session.rates, WaveLimits::of(session), session.world.size());
  for (std::size_t c = 0; c < pending.size(); ++c) {
    if (!pending[c]) continue;
    const auto& checkpoint = study.checkpoints[c];
    todo.push_back(c);
    passes.push_back(make(cost(checkpoint), checkpoint));
  }
  if (todo.empty()) return;
  const auto schedule = plan::make_teams(passes, session.nodes);
  session.passes.push_back(std::move(passes));
  const int mine = schedule.team[static_cast<std::size_t>(session.world.rank())];
  const auto team = session.world.split(mine, session.world.rank());
  Turns turns(session, schedule, static_cast<std::size_t>(mine), session.passes.back());
  double tokens = 0;  // 0: not known
  for (const auto p : turns.own())
    if (!turns.open()) tokens += tokens_of_rank(study, study.checkpoints[todo[p]], team);
  const std::string name(deck::name_of(stage));
  console::Progress progress(session.console, name, static_cast<std::int64_t>(tokens), "tokens of rank 0");
  parallel::together(session.world, name, [&] {
    const auto units = session.ledger->of(stage);
    while (!team.any(session.stop->asked())) {
      const auto pass = turns.next(team);
      if (!pass) break;
      const auto claimed = claim(session, team, *units[todo[*pass]]);
      if (claimed && !work(team, todo[*pass], progress)) break;
    }
  });
  tell_of_shrunken_waves(session);
  session.leave_if_asked();
}

}  // namespace incipit::command
