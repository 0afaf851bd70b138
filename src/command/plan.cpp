#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

#include "command/command.hpp"
#include "command/deck_command.hpp"
#include "command/machine.hpp"
#include "command/option.hpp"
#include "command/result_bytes.hpp"
#include "command/workload.hpp"
#include "console/progress.hpp"
#include "console/table.hpp"
#include "deck/values.hpp"
#include "error.hpp"
#include "interpret/teacher.hpp"
#include "plan/forecast.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

constexpr const char* about_plan =
    "usage: incipit plan DECK [--ranks=1] [--per-node=N] [--memory=80G] [--bandwidth=9G] [--flops=500T]\n"
    "                         [--csv=FILE] [--all] [--section.key=value ...]\n\n"
    "What `incipit run DECK` would do on so many ranks if nothing were there yet: who does which\n"
    "checkpoints, how long each phase takes, what is read and written, how much memory a rank needs, how\n"
    "well the work is balanced, and what bounds the whole. Reads no weights. Rates are those that\n"
    "`incipit calibrate` measured (--run.machine=FILE), or assumed. In their place: --memory of a rank;\n"
    "--bandwidth, bytes/s that the file system gives all ranks together; --flops, FLOP/s of a rank's\n"
    "forward pass of a wide model. --ranks=1,2,4,8 compares; --csv writes the comparison; --all shows\n"
    "every team. Teachers and encoders that are language models are not counted.\n\n";

struct PlanWords {
  std::vector<int> ranks{1};
  int per_node = 0;  ///< 0: as the rates were measured
  double memory = 0, bandwidth = 0, flops = 0;
  std::filesystem::path csv;
  bool all = false;
};

PlanWords take_plan_words(std::vector<std::string>& words) {
  PlanWords found;
  found.all = std::erase(words, "--all") > 0;
  for (const auto& [name, value] :
       take_options(words, {"ranks", "per-node", "memory", "bandwidth", "flops", "csv"})) {
    const deck::Text text{"--" + name, value, "command line", {}};
    if (name == "ranks") {
      found.ranks.clear();
      for (const auto& part : parts_of(value))
        found.ranks.push_back(deck::whole<int>(1, 1 << 20)({text.key, part, text.where, {}}));
    }
    if (name == "per-node") found.per_node = deck::whole<int>(1, 4096)(text);
    if (name == "memory") found.memory = static_cast<double>(deck::size(text));
    if (name == "bandwidth") found.bandwidth = static_cast<double>(deck::size(text));
    if (name == "flops") found.flops = static_cast<double>(deck::size(text));
    if (name == "csv") found.csv = value;
  }
  return found;
}

plan::Rates wanted_rates(const deck::RunOptions& run, const PlanWords& asked) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  plan::Rates rates;
  if (run.machine == "none") {
    const bool cuda = run.device == "cuda" || asked.flops > 0;
    rates = plan::assumed_rates(cuda ? plan::Kind::cuda : plan::Kind::host, run.threads.value_or(1));
    rates.ranks = cuda ? 4 : cores;
  } else {
    rates = plan::read_rates(run.machine, run.threads);
  }
  if (asked.flops > 0) {  // of the widest; narrow models get as much less of it as they do of the rates
    const double more = asked.flops / rates.forward.rate.back();
    for (double& rate : rates.forward.rate) rate *= more;
  }
  if (asked.bandwidth > 0) {
    rates.read_all = rates.write_all = asked.bandwidth;
    rates.read = std::min(rates.read, asked.bandwidth);
  }
  return rates;
}

std::string gigabytes(double bytes) {
  return bytes > 0 ? fmt::format("{:.2f}", bytes * 1e-9) : "-";
}

std::string seconds_text(double seconds) {
  return fmt::format("{:.2f}", seconds);
}

std::string phases_table(const plan::Forecast& forecast) {
  console::Table table({{"phase", console::Table::Side::left},
                        {"seconds"},
                        {"balance"},
                        {"computing s"},
                        {"reading s"},
                        {"writing s"},
                        {"read GB"},
                        {"written GB"},
                        {"GiB a rank"}});
  for (const auto& phase : forecast.phases)
    table.row({phase.name, seconds_text(phase.slowest), fmt::format("{:.0f} %", 100 * phase.balance()),
               seconds_text(phase.computing), seconds_text(phase.reading), seconds_text(phase.writing),
               gigabytes(phase.bytes_read), gigabytes(phase.bytes_written),
               phase.memory > 0 ? fmt::format("{:.2f}", std::ldexp(phase.memory, -30)) : "-"});
  return table.text();
}

/// One team's checkpoints, those of a model together.
std::string checkpoints_text(const Study& study, const std::vector<std::size_t>& work, bool all) {
  std::string text;
  for (const auto c : work) {
    const auto& checkpoint = study.checkpoints[c];
    if (text.size() > 60 && !all) return text + fmt::format(", ... ({} in all)", work.size());
    text += fmt::format("{}{}/{}", text.empty() ? "" : ", ", study.model(checkpoint).name, checkpoint.name());
  }
  return text;
}

std::string teams_table(const Study& study, const plan::Forecast& forecast,
                        const std::vector<plan::Pass>& passes, bool all) {
  constexpr std::size_t most = 16;
  console::Table table(
      {{"team"}, {"ranks"}, {"checkpoints"}, {"seconds"}, {"in this order", console::Table::Side::left}});
  const auto& teams = forecast.teams;
  for (std::size_t t = 0; t < teams.work.size() && (all || t < most); ++t) {
    double seconds = 0;
    const int ranks = teams.ranks_of(t);
    for (const auto p : teams.work[t]) seconds += passes[p].seconds_with(ranks, teams.nodes[t]);
    table.row({std::to_string(t), std::to_string(ranks), std::to_string(teams.work[t].size()),
               seconds_text(seconds), checkpoints_text(study, teams.work[t], all)});
  }
  auto text = table.text();
  if (!all && teams.work.size() > most)
    text += fmt::format("\n... {} teams in all; --all shows them", teams.work.size());
  return text;
}

/// How much faster than on the first number of ranks, of what so many more ranks could be.
double efficiency(const plan::Forecast& first, int first_ranks, const plan::Forecast& now, int ranks) {
  return first.seconds * first_ranks / (now.seconds * ranks);
}

struct Planned {
  plan::Machine machine;
  plan::Forecast forecast;
};

void tell_one(const Study& study, const deck::Deck& deck, const plan::Workload& workload,
              const Planned& planned, bool all) {
  const auto& [machine, forecast] = planned;
  const auto passes = std::ranges::find(workload, plan::Sharing::teams, &plan::Stage::sharing);
  fmt::print("Checkpoints\n{}\n\n", teams_table(study, forecast, passes->passes, all));
  fmt::print("Phases (seconds until the last rank is done; then of a rank on average)\n{}\n\n",
             phases_table(forecast));
  double kept = 0;
  for (const auto& checkpoint : study.checkpoints) kept += activation_bytes(deck, study, checkpoint);
  fmt::print("time      {} ({:.1f} s), {:.2f} node-hours on {} node(s) of {} rank(s)\n",
             console::human_time(forecast.seconds), forecast.seconds,
             forecast.seconds * machine.nodes() / 3600, machine.nodes(), machine.ranks_per_node);
  fmt::print("waiting   {:.0f} % of a rank's time\n", 100 * forecast.waiting / forecast.seconds);
  fmt::print("files     {} read, {} written; activations take {}{}\n",
             console::human_bytes(forecast.bytes_read), console::human_bytes(forecast.bytes_written),
             console::human_bytes(kept),
             deck.run.keep_activations ? "" : " until the curves are measured, then less and less");
  fmt::print("memory    {:.2f} GiB of a rank at most\n", std::ldexp(forecast.memory, -30));
  fmt::print("bound     {}\n", forecast.bound());
}

void tell_many(const std::vector<Planned>& all) {
  console::Table table({{"ranks"},
                        {"nodes"},
                        {"seconds"},
                        {"efficiency"},
                        {"waiting"},
                        {"read GB"},
                        {"GiB a rank"},
                        {"node-hours"},
                        {"bound by", console::Table::Side::left}});
  for (const auto& [machine, forecast] : all)
    table.row({std::to_string(machine.ranks), std::to_string(machine.nodes()), seconds_text(forecast.seconds),
               fmt::format("{:.0f} %", 100 * efficiency(all.front().forecast, all.front().machine.ranks,
                                                        forecast, machine.ranks)),
               fmt::format("{:.0f} %", 100 * forecast.waiting / forecast.seconds),
               gigabytes(forecast.bytes_read), fmt::format("{:.2f}", std::ldexp(forecast.memory, -30)),
               fmt::format("{:.2f}", forecast.seconds * machine.nodes() / 3600), forecast.bound()});
  fmt::print("{}\n", table.text());
}

void write_csv(const std::filesystem::path& file, const std::vector<Planned>& all) {
  std::string text =
      "ranks,nodes,phase,seconds,mean,computing,reading,writing,bytes_read,bytes_written,memory\n";
  const auto line = [&](const plan::Machine& machine, const plan::Phase& phase) {
    text += fmt::format("{},{},{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g}\n", machine.ranks,
                        machine.nodes(), phase.name, phase.slowest, phase.mean, phase.computing,
                        phase.reading, phase.writing, phase.bytes_read, phase.bytes_written, phase.memory);
  };
  for (const auto& [machine, forecast] : all) {
    plan::Phase total{.name = "total"};
    for (const auto& phase : forecast.phases) {
      line(machine, phase);
      total += phase;
    }
    line(machine, total);
  }
  store::write_text_atomic(file, text);
}

}  // namespace

void plan_run(const parallel::Communicator& world, const std::vector<std::string>& words) {
  auto keys = words;
  const PlanWords asked = take_plan_words(keys);
  const auto deck = read_deck(world, keys, about_plan);
  if (!deck || !world.root()) return;  // a second is one rank's work
  auto study = resolve(*deck, Scope::curves);
  plan_trails(study, *deck);
  const auto rates = wanted_rates(deck->run, asked);
  const int per_node = asked.per_node > 0 ? asked.per_node : rates.ranks;
  std::vector<Planned> planned;
  plan::Workload workload;
  for (const int ranks : asked.ranks) {
    plan::Machine machine{.rates = rates, .ranks = ranks, .ranks_per_node = std::min(ranks, per_node)};
    machine.memory = asked.memory > 0 ? asked.memory
                     : deck->run.memory
                         ? static_cast<double>(*deck->run.memory)
                         : 0.8 * static_cast<double>(available_memory()) / machine.ranks_per_node;
    workload = workload_of(study, *deck, rates, static_cast<std::uint64_t>(machine.memory), ranks);
    auto forecast = plan::forecast(workload, machine);
    planned.push_back({std::move(machine), std::move(forecast)});
  }
  fmt::print("rates     {} ({})\n", rates.source, rates.about);
  fmt::print("sweep     {} models, {} checkpoints, {} probes, {} dictionaries, {} curves\n",
             study.family.models.size(), study.checkpoints.size(), study.probes.all.size(),
             study.dictionaries.size(), study.trails.size());
  if (interpret::reads(deck->interpret))
    fmt::print("note      the teacher {} is a language model: its time is not counted\n",
               deck->interpret.teacher);
  if (deck->run.queue)
    fmt::print("note      run.queue = yes: which team does what shows in the run; these are fixed lists\n");
  if (deck->match.encoder != "lexical")
    fmt::print("note      the encoder {} is counted as if every latent had a label of its own\n",
               deck->match.encoder);
  fmt::print("\n");
  if (planned.size() == 1) {
    tell_one(study, *deck, workload, planned.front(), asked.all);
  } else {
    tell_many(planned);
  }
  if (!asked.csv.empty()) write_csv(asked.csv, planned);
}

}  // namespace incipit::command
