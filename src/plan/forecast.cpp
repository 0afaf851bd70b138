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

/// One team on its way through its passes.
struct Runner {
  double computing = 0;  ///< seconds of the pass at hand, with all its ranks, and the writing behind it
  double bytes = 0;      ///< that the pass at hand reads, all ranks together
  double most = 0;       ///< bytes/s that its ranks can read
  double left = 0;       ///< of the pass at hand, 1 to 0
  double speed = 0;      ///< passes per second
  std::size_t next = 0;  ///< of its work
  double done = 0;       ///< when it has nothing left

  /// Bytes per second that it would read if nobody else did.
  [[nodiscard]] double demand() const {
    if (bytes <= 0) return 0;
    return computing > 0 ? std::min(most, bytes / computing) : most;
  }
  void run_with(double bandwidth) {
    const double by_reading = bytes > 0 ? bandwidth / bytes : std::numeric_limits<double>::infinity();
    const double by_computing = computing > 0 ? 1 / computing : std::numeric_limits<double>::infinity();
    speed = std::min(by_reading, by_computing);
  }
};

/// Everybody gets what he asks for, but no more than an equal part of what the modest leave.
void share_bandwidth(std::vector<Runner*>& running, double all) {
  std::ranges::sort(running, {}, &Runner::demand);
  double left = all;
  for (std::size_t i = 0; i < running.size(); ++i) {
    const double part = std::min(running[i]->demand(), left / static_cast<double>(running.size() - i));
    running[i]->run_with(part);
    left -= part;
  }
}

class Passes {
 public:
  Passes(const Stage& stage, const Machine& machine, const Teams& teams)
      : stage_(stage), rates_(machine.rates), teams_(teams), runners_(teams.work.size()) {
    for (std::size_t t = 0; t < teams.work.size(); ++t) ranks_.push_back(teams.ranks_of(t));
  }

  /// Seconds until each team is done.
  std::vector<double> run() {
    for (std::size_t t = 0; t < runners_.size(); ++t) begin_next(t, 0);
    for (double now = 0;;) {
      std::vector<Runner*> running;
      for (Runner& runner : runners_)
        if (runner.left > 0) running.push_back(&runner);
      if (running.empty()) break;
      share_bandwidth(running, rates_.read_all);
      double step = std::numeric_limits<double>::infinity();
      for (const Runner* runner : running) step = std::min(step, runner->left / runner->speed);
      now += step;
      for (std::size_t t = 0; t < runners_.size(); ++t) {
        Runner& runner = runners_[t];
        if (runner.left <= 0) continue;
        runner.left -= step * runner.speed;
        if (runner.left > 1e-9) continue;
        begin_next(t, now);
      }
    }
    std::vector<double> done;
    for (const Runner& runner : runners_) done.push_back(runner.done);
    return done;
  }

 private:
  void begin_next(std::size_t t, double now) {
    Runner& runner = runners_[t];
    runner.left = 0;
    runner.done = now;
    if (runner.next == teams_.work[t].size()) return;
    const std::size_t p = teams_.work[t][runner.next++];
    const Task& task = stage_.rounds.front()[p];
    const Times times = times_of(task, stage_.phase, rates_, 1);
    const double ranks = std::min(ranks_[t], stage_.passes[p].most_ranks);
    runner.computing = times.computing / ranks + times.writing + times.making;
    runner.bytes = task.bytes_read * ranks;  // every rank of a team needs all the weights
    runner.most = rates_.read * ranks;
    runner.left = 1;
  }

  const Stage& stage_;
  const Rates& rates_;
  const Teams& teams_;
  std::vector<int> ranks_;
  std::vector<Runner> runners_;
};

void add(Phase& phase, const Times& times, double ranks) {
  phase.computing += times.computing / ranks;
  phase.reading += times.reading / ranks;
  phase.writing += times.writing / ranks + times.making;
}

Phase forecast_passes(const Stage& stage, const Machine& machine, const Teams& teams) {
  Phase phase{.name = stage.phase};
  const auto done = Passes(stage, machine, teams).run();
  for (std::size_t t = 0; t < done.size(); ++t) {
    const int ranks = teams.ranks_of(t);
    phase.mean += done[t] * ranks / machine.ranks;
    phase.slowest = std::max(phase.slowest, done[t]);
    for (const auto p : teams.work[t]) {
      Times times = times_of(stage.rounds.front()[p], stage.phase, machine.rates, 1);
      times.reading *= ranks;
      add(phase, times, machine.ranks);
      phase.bytes_read += stage.rounds.front()[p].bytes_read * ranks;
      phase.bytes_written += stage.rounds.front()[p].bytes_written;
    }
  }
  return phase;
}

/// Seconds of each rank in one round.
std::vector<double> round_times(const Stage& stage, const std::vector<Task>& round, const Machine& machine,
                                Phase& phase) {
  const int ranks = machine.ranks;
  std::vector<double> busy(static_cast<std::size_t>(ranks), 0);
  std::vector<double> costs;
  double making = 0;
  const bool one_each = stage.sharing == Sharing::whole;
  const int sharers = one_each ? std::clamp(static_cast<int>(round.size()), 1, ranks) : ranks;
  for (const Task& task : round) {
    const Times times = times_of(task, stage.phase, machine.rates, sharers);
    add(phase, times, stage.sharing == Sharing::replicated ? 1 : ranks);
    costs.push_back(sum(times));
    making += times.making;
  }
  if (one_each) {
    const auto owner = parallel::assign_longest_first(costs, ranks);
    for (std::size_t i = 0; i < costs.size(); ++i) busy[static_cast<std::size_t>(owner[i])] += costs[i];
    return busy;
  }
  double each = std::accumulate(costs.begin(), costs.end(), 0.0);
  if (stage.sharing == Sharing::divided) each = making + (each - making) / ranks;
  std::ranges::fill(busy, each);
  return busy;
}

Phase forecast_rounds(const Stage& stage, const Machine& machine) {
  Phase phase{.name = stage.phase};
  for (const auto& round : stage.rounds) {
    const auto busy = round_times(stage, round, machine, phase);
    phase.mean += std::accumulate(busy.begin(), busy.end(), 0.0) / machine.ranks;
    phase.slowest += std::ranges::max(busy);
  }
  const double times = stage.sharing == Sharing::replicated ? machine.ranks : 1;
  phase.bytes_read = stage.total().bytes_read * times;
  phase.bytes_written = stage.total().bytes_written;
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
