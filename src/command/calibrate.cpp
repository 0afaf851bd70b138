#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "command/command.hpp"
#include "command/device.hpp"
#include "command/machine.hpp"
#include "command/measure.hpp"
#include "command/option.hpp"
#include "command/stages.hpp"
#include "command/workload.hpp"
#include "console/table.hpp"
#include "deck/values.hpp"
#include "error.hpp"
#include "model/precision.hpp"
#include "parallel/agree.hpp"
#include "parallel/node.hpp"
#include "phantom/phantom.hpp"
#include "store/files.hpp"
#include "store/process.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

constexpr const char* about_calibrate =
    "usage: mpirun -n RANKS incipit calibrate [--output=machine.json] [--folder=DIR] [--size=256MiB]\n"
    "                  [--seconds=2] [--device=auto] [--precision=fp32] [--threads=auto]\n\n"
    "Measures what a rank of this machine does in a second, for `incipit plan` and for run.machine, by\n"
    "which work is shared out: forward passes and trainings of several widths, files written to and read\n"
    "from DIR (by default where FILE is; name the file system that holds the checkpoints), and a small\n"
    "phantom run through all stages. Start it with as many ranks per node, threads, precision and device\n"
    "as the runs will have: ranks slow each other down. --size: of the file of each rank; --seconds: a\n"
    "width that takes longer is the last one.\n";

struct CalibrateWords {
  fs::path output = "machine.json", folder;
  double bytes = 256.0 * (1 << 20), seconds = 2;
  deck::RunOptions run;
  bool help = false;
};

deck::Text text_of_option(const std::string& name, const std::string& value) {
  return {"--" + name, value, "command line", fs::current_path()};
}

CalibrateWords read_calibrate_words(std::vector<std::string> words) {
  CalibrateWords found;
  const auto options =
      take_options(words, {"output", "folder", "size", "seconds", "device", "precision", "threads"});
  for (const auto& word : words) {
    if (word != "--help" && word != "-h")
      throw Error(Exit::usage, fmt::format("calibrate: no option '{}'\n{}", word, about_calibrate));
    found.help = true;
  }
  for (const auto& [name, value] : options) {
    const auto text = text_of_option(name, value);
    if (name == "output") found.output = value;
    if (name == "folder") found.folder = value;
    if (name == "size") found.bytes = static_cast<double>(deck::size(text));
    if (name == "seconds") found.seconds = deck::real(0.01, 3600)(text);
    if (name == "device") found.run.device = deck::choice({"auto", "host", "cuda"})(text);
    if (name == "precision") found.run.precision = deck::choice({"fp32", "bf16", "fp16"})(text);
    if (name == "threads") found.run.threads = deck::whole<int>(1, 4096)(text);
  }
  if (found.folder.empty()) found.folder = found.output.has_parent_path() ? found.output.parent_path() : ".";
  return found;
}

/// Seconds of all ranks together in each phase of a small run, and the work that a plan counts for it.
class SmallRun {
 public:
  SmallRun(const parallel::Communicator& world, const fs::path& folder, const deck::RunOptions& run) {
    parallel::together(world, "writing a phantom", [&] {
      if (!world.root()) return;
      phantom::Options options;
      options.models = 2;
      options.layers = 5;
      options.steps = 14;
      options.subjects = 8;
      options.never = 0;  // subjects that are there take time
      options.probes = 16;
      static_cast<void>(phantom::write_phantom(folder, options, machine_free_header()));
    });
    std::vector<std::string> keys{"--run.output=" + (folder / "out").string(), "--run.device=" + run.device,
                                  "--run.precision=" + run.precision, "--sae.latents=64",
                                  "--extract.components=yes"};
    if (run.threads) keys.push_back(fmt::format("--run.threads={}", *run.threads));
    deck::Deck deck;
    parallel::together(world, "reading the phantom's deck",
                       [&] { deck = deck::load(folder / "phantom.ini", keys); });
    const auto session = open_session(world, deck, "calibrate", Scope::curves, plan_trails, true);
    run_stages(*session, false);
    for (const auto& row : session->timing.summary(world).rows) seconds_[row.name] = row.total.seconds;
    workload_ = workload_of(session->study, deck, session->rates, session->memory, world.size());
    ranks_ = world.size();
  }

  void add_to(plan::Rates& rates) const {
    double files = 0;
    std::map<std::string, double> units;
    auto seconds = seconds_;  // less those of matrix products, whose rate is known
    for (const auto& stage : workload_) {
      const bool all = stage.sharing == plan::Sharing::replicated;
      units[stage.phase] += stage.total().units * (all ? ranks_ : 1);
      for (const auto& round : stage.rounds)
        for (const auto& task : round)
          if (task.flops > 0) seconds[stage.phase] -= task.flops / rates.forward.at(task.width);
      // A file that is made together is waited for by all.
      files += stage.total().files * (stage.sharing == plan::Sharing::divided ? ranks_ : 1);
    }
    for (const auto& [phase, count] : units)
      if (const auto took = seconds.find(phase); count > 0 && took != seconds.end() && took->second > 0)
        rates.units[phase] = count / took->second;
    if (const auto took = seconds_.find("write"); took != seconds_.end()) rates.file = took->second / files;
  }

 private:
  std::map<std::string, double> seconds_;
  plan::Workload workload_;
  int ranks_ = 1;
};

/// A folder that is gone when this is, if rank 0 can remove it.
class Scratch {
 public:
  Scratch(const parallel::Communicator& world, const fs::path& beside) : root_(world.root()) {
    std::string name;
    parallel::together(world, "making a folder to measure in", [&] {
      if (!root_) return;
      name = (beside / fmt::format(".calibrate-{}-{}", store::host_name(), ::getpid())).string();
      store::ensure_folder(name);
    });
    path_ = world.broadcast(name);
  }
  ~Scratch() {
    std::error_code none;
    if (root_) fs::remove_all(path_, none);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  bool root_;
  fs::path path_;
};

std::string ladder_text(const char* name, const plan::Ladder& ladder) {
  console::Table table({{name, console::Table::Side::left}, {"GFLOP/s of a rank"}});
  for (std::size_t i = 0; i < ladder.width.size(); ++i)
    table.row({fmt::format("{:.0f}", ladder.width[i]), fmt::format("{:.2f}", ladder.rate[i] * 1e-9)});
  return table.text();
}

void tell(const plan::Rates& rates, bool from_disk) {
  fmt::print("{}\n\n{}\n\n{}\n\n", rates.about, ladder_text("forward, width", rates.forward),
             ladder_text("training, sqrt(latents x width)", rates.train));
  fmt::print("reading   {:.2f} GB/s by one rank, {:.2f} GB/s by all{}\n", rates.read * 1e-9,
             rates.read_all * 1e-9,
             from_disk ? "" : " (from the page cache: the file system kept the files)");
  fmt::print("writing   {:.2f} GB/s by all, {:.1f} ms for one more file\n", rates.write_all * 1e-9,
             rates.file * 1e3);
  for (const auto& [phase, rate] : rates.units) fmt::print("{:<15} {:.3g} units/s\n", phase, rate);
}

}  // namespace

void calibrate(const parallel::Communicator& world, const std::vector<std::string>& words) {
  CalibrateWords asked;
  parallel::together(world, "", [&] { asked = read_calibrate_words(words); });
  if (asked.help) {
    if (world.root()) fmt::print("{}", about_calibrate);
    return;
  }
  const int threads = asked.run.threads.value_or(parallel::default_threads(world));
  const auto computer = choose_device(world, asked.run, threads);
  plan::Rates rates = rates_of({}, *computer.device, threads);
  rates.ranks = parallel::node_share(world).size;
  rates.about = fmt::format("{} rank(s) x {} thread(s) of a node, {} ({}), {}, {}", rates.ranks, threads,
                            computer.device->name(), kind_of(*computer.device), asked.run.precision,
                            library_versions());
  const auto say = [&](const char* what) {
    if (world.root()) fmt::print("measuring {} ...\n", what), std::fflush(stdout);
  };
  say("forward passes");
  rates.forward =
      measure_forward(world, *computer.device, model::precision_of(asked.run.precision), asked.seconds);
  say("training");
  rates.train = measure_training(world, *computer.device, asked.seconds);
  say("files");
  const Scratch scratch(world, asked.folder);
  const auto files = measure_files(world, scratch.path(), asked.bytes);
  rates.read = files.read;
  rates.read_all = files.read_all;
  rates.write_all = files.write_all;
  say("all stages of a small run");
  SmallRun(world, scratch.path() / "phantom", asked.run).add_to(rates);
  rates.units["audit"] = files.audit;
  parallel::together(world, "writing what was measured", [&] {
    if (!world.root()) return;
    plan::write_rates(asked.output, rates);
    fmt::print("\n");
    tell(rates, files.from_disk);
    fmt::print("\nwrote {0}; next: incipit plan DECK --run.machine={0}\n", asked.output.string());
  });
}

}  // namespace incipit::command
