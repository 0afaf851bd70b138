#include "plan/forecast.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "parallel/work.hpp"

namespace incipit::plan {
namespace {

struct Times {
  double computing = 0, reading = 0, writing = 0;
  double making = 0;  ///< files: no rank takes that off another
};

/// Of one rank with the file system to itself; `readers` at a time share it otherwise.
Times times_of(const Task& task, const std::string& phase, const Rates& rates, int sharers) {
  Times times;
  if (task.flops > 0) {
    const Ladder& ladder = phase == "train" ? rates.train : rates.forward;
    times.computing += task.flops / ladder.at(task.width);
  }
  if (task.units > 0) times.computing += task.units / rates.units_of(phase);
  times.reading = task.bytes_read / std::min(rates.read, rates.read_all / sharers);
  times.writing = task.bytes_written * sharers / rates.write_all;
  times.making = task.files * rates.file;
  return times;
}

double sum(const Times& times) {
  return times.computing + times.reading + times.writing + times.making;
}

/// Something that moves bytes while or before it computes.
struct Leg {
  double computing = 0;  ///< seconds
  double bytes = 0;      ///< between the file system and whoever does it
  double most = 0;       ///< bytes/s that he can take
};

/// One rank or team on its way through its legs.
struct Runner {
  std::vector<Leg> legs;
  std::size_t next = 0;  ///< of the legs
  double left = 0;       ///< of the leg at hand, 1 to 0
  double speed = 0;      ///< legs per second
  double done = 0;       ///< when the last leg is over

  [[nodiscard]] const Leg& leg() const { return legs[next - 1]; }
  void begin_next(double now) {
    done = now;
    left = next < legs.size() ? 1 : 0;
    ++next;
  }
};

/// All of them at once, on one file system: everybody gets what he asks for, but no more than an equal part
/// of what the modest leave.
class Race {
 public:
  /// `beside`: whether computing goes on while bytes move, or begins behind.
  Race(const std::vector<std::vector<Leg>>& legs, bool beside, double bandwidth)
      : beside_(beside), bandwidth_(bandwidth) {
    for (const auto& own : legs) runners_.push_back({.legs = own});
  }

  /// Seconds until each is done.
  std::vector<double> run() {
    for (Runner& runner : runners_) runner.begin_next(0);
    for (double now = 0;;) {
      std::vector<Runner*> running;
      for (Runner& runner : runners_)
        if (runner.left > 0) running.push_back(&runner);
      if (running.empty()) break;
      share_bandwidth(running);
      double step = std::numeric_limits<double>::infinity();
      for (const Runner* runner : running) step = std::min(step, runner->left / runner->speed);
      now += step;
      for (Runner* runner : running) {
        runner->left -= step * runner->speed;
        if (!(runner->left > 1e-9)) runner->begin_next(now);
      }
    }
    std::vector<double> done;
    for (const Runner& runner : runners_) done.push_back(runner.done);
    return done;
  }

 private:
  /// Legs per second at so many bytes per second.
  [[nodiscard]] double speed_with(const Leg& leg, double bandwidth) const {
    const double moving = leg.bytes > 0 ? leg.bytes / bandwidth : 0;
    const double seconds = beside_ ? std::max(moving, leg.computing) : moving + leg.computing;
    return seconds > 0 ? 1 / seconds : std::numeric_limits<double>::infinity();
  }
  /// Bytes per second that it would move if nobody else did.
  [[nodiscard]] double demand(const Leg& leg) const {
    return leg.bytes > 0 ? leg.bytes * speed_with(leg, leg.most) : 0;
  }

  void share_bandwidth(std::vector<Runner*>& running) const {
    std::ranges::sort(running, {}, [&](const Runner* runner) { return demand(runner->leg()); });
    double left = bandwidth_;
    for (std::size_t i = 0; i < running.size(); ++i) {
      const Leg& leg = running[i]->leg();
      const double part = left / static_cast<double>(running.size() - i);
      const double moved = std::min(demand(leg), part);
      // Who asks for less than his part moves at his own pace.
      running[i]->speed =
          moved < part ? speed_with(leg, leg.most) : speed_with(leg, std::min(part, leg.most));
      left -= moved;
    }
  }

  bool beside_;
  double bandwidth_;
  std::vector<Runner> runners_;
};

void add(Phase& phase, const Times& times, double ranks) {
  phase.computing += times.computing / ranks;
  phase.reading += times.reading / ranks;
  phase.writing += times.writing / ranks + times.making;
}

/// Ranks of a team read together on each node.
double bytes_of_team(const Task& task, const Pass& pass, int ranks, int nodes) {
  return task.bytes_read / pass.waves * pass.waves_with(ranks) * nodes;
}

Phase forecast_passes(const Stage& stage, const Machine& machine, const Teams& teams) {
  Phase phase{.name = stage.phase};
  std::vector<std::vector<Leg>> legs(teams.work.size());
  for (std::size_t t = 0; t < legs.size(); ++t) {
    const int ranks = teams.ranks_of(t);
    for (const auto p : teams.work[t]) {
      const Task& task = stage.rounds.front()[p];
      const Times times = times_of(task, stage.phase, machine.rates, 1);
      const int dividing = std::min(ranks, std::max(1, stage.passes[p].most_ranks));
      legs[t].push_back({.computing = times.computing / dividing + times.writing + times.making,
                         .bytes = bytes_of_team(task, stage.passes[p], ranks, teams.nodes[t]),
                         .most = machine.rates.read * ranks});
    }
  }
  const auto done = Race(legs, true, machine.rates.read_all).run();
  for (std::size_t t = 0; t < done.size(); ++t) {
    const int ranks = teams.ranks_of(t);
    phase.mean += done[t] * ranks / machine.ranks;
    phase.slowest = std::max(phase.slowest, done[t]);
    for (const auto p : teams.work[t]) {
      Times times = times_of(stage.rounds.front()[p], stage.phase, machine.rates, 1);
      const double bytes = bytes_of_team(stage.rounds.front()[p], stage.passes[p], ranks, teams.nodes[t]);
      times.reading = bytes / std::min(machine.rates.read, machine.rates.read_all);
      add(phase, times, machine.ranks);
      phase.bytes_read += bytes;
      phase.bytes_written += stage.rounds.front()[p].bytes_written;
    }
  }
  return phase;
}

/// Seconds of each rank where a task is one rank's.
std::vector<double> dealt(const Stage& stage, const std::vector<Task>& round, const Machine& machine) {
  const Rates& rates = machine.rates;
  std::vector<double> costs;
  for (const Task& task : round) costs.push_back(seconds_alone(task, stage.phase, rates));
  const auto owner = parallel::assign_longest_first(costs, machine.ranks);
  std::vector<std::vector<Leg>> legs(static_cast<std::size_t>(machine.ranks));
  for (std::size_t i = 0; i < round.size(); ++i) {
    const Times times = times_of(round[i], stage.phase, rates, 1);
    // What is written takes as much of the file system as reading that takes as long.
    const double written = round[i].bytes_written * rates.read_all / rates.write_all;
    legs[static_cast<std::size_t>(owner[i])].push_back(
        {.computing = times.computing + times.making,
         .bytes = round[i].bytes_read + written,
         .most = round[i].bytes_read > 0 ? std::min(rates.read, rates.read_all) : rates.read_all});
  }
  return Race(legs, false, rates.read_all).run();
}

/// Seconds of each rank in one round.
std::vector<double> round_times(const Stage& stage, const std::vector<Task>& round, const Machine& machine,
                                Phase& phase) {
  const int ranks = machine.ranks;
  const bool one_each = stage.sharing == Sharing::whole;
  double making = 0, all = 0;
  for (const Task& task : round) {
    const Times times = times_of(task, stage.phase, machine.rates, one_each ? 1 : ranks);
    add(phase, times, stage.sharing == Sharing::replicated ? 1 : ranks);
    all += sum(times);
    making += times.making;
  }
  if (one_each) return dealt(stage, round, machine);
  const double each = stage.sharing == Sharing::divided ? making + (all - making) / ranks : all;
  return std::vector<double>(static_cast<std::size_t>(ranks), each);
}

Phase forecast_rounds(const Stage& stage, const Machine& machine) {
  Phase phase{.name = stage.phase};
  for (const auto& round : stage.rounds) {
    const auto busy = round_times(stage, round, machine, phase);
    phase.mean += std::accumulate(busy.begin(), busy.end(), 0.0) / machine.ranks;
    phase.slowest += std::ranges::max(busy);
  }
  const double times = stage.sharing == Sharing::replicated ? machine.ranks : 1;
  const Task total = stage.total();
  phase.bytes_read = total.bytes_read * times;
  phase.bytes_written = total.bytes_written;
  return phase;
}

}  // namespace

Phase& Phase::operator+=(const Phase& other) {
  mean += other.mean;
  slowest += other.slowest;
  computing += other.computing;
  reading += other.reading;
  writing += other.writing;
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  memory = std::max(memory, other.memory);
  return *this;
}

Task Stage::total() const {
  Task total;
  for (const auto& round : rounds) {
    for (const Task& task : round) {
      total.flops += task.flops;
      total.units += task.units;
      total.bytes_read += task.bytes_read;
      total.bytes_written += task.bytes_written;
      total.files += task.files;
    }
  }
  return total;
}

std::vector<int> Machine::node_of() const {
  std::vector<int> nodes(static_cast<std::size_t>(ranks));
  for (int r = 0; r < ranks; ++r) nodes[static_cast<std::size_t>(r)] = r / ranks_per_node;
  return nodes;
}

std::string Forecast::bound() const {
  double computing = 0, reading = 0, writing = 0;
  for (const Phase& phase : phases) {
    computing += phase.computing;
    reading += phase.reading;
    writing += phase.writing;
  }
  const double most = std::max({computing, reading, writing, waiting});
  if (most == waiting) return "the number of checkpoints";
  if (most == computing) return "computing";
  return most == reading ? "reading" : "writing";
}

double seconds_alone(const Task& task, const std::string& phase, const Rates& rates) {
  return sum(times_of(task, phase, rates, 1));
}

Forecast forecast(const Workload& workload, const Machine& machine) {
  Forecast result;
  bool first = true;
  for (const Stage& stage : workload) {
    Phase phase;
    if (stage.sharing == Sharing::teams) {
      const auto teams = make_teams(stage.passes, machine.node_of());
      phase = forecast_passes(stage, machine, teams);
      if (std::exchange(first, false)) result.teams = teams;
    } else {
      phase = forecast_rounds(stage, machine);
    }
    phase.memory = stage.memory;
    // All ranks share the file system, whatever one of them could read alone.
    phase.reading = std::max(phase.reading, phase.bytes_read / machine.rates.read_all);
    result.seconds += phase.slowest;
    result.waiting += phase.slowest - phase.mean;
    result.bytes_read += phase.bytes_read;
    result.bytes_written += phase.bytes_written;
    result.memory = std::max(result.memory, phase.memory);
    const auto same = std::ranges::find(result.phases, phase.name, &Phase::name);
    if (same == result.phases.end()) {
      result.phases.push_back(std::move(phase));
    } else {
      *same += phase;
    }
  }
  return result;
}

}  // namespace incipit::plan
