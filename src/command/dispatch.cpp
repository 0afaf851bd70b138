#include <fmt/format.h>

#include <cstdio>
#include <functional>

#include "command/command.hpp"
#include "command/deck_command.hpp"
#include "command/machine.hpp"
#include "command/stages.hpp"
#include "deck/deck.hpp"
#include "device/cuda.hpp"
#include "error.hpp"
#include "version.hpp"

namespace incipit::command {
namespace {

using Action = std::function<void(const parallel::Communicator&, const std::vector<std::string>&)>;

struct Subcommand {
  const char* name;
  const char* what;
  Action action;
};

/// A stage on its own: it does again what is stale, since that is what was asked for.
Action stage(const char* name, void (*work)(Session&, bool)) {
  return [name, work](const parallel::Communicator& world, const std::vector<std::string>& words) {
    if (const auto deck = read_deck(world, words)) {
      const auto session = open_session(world, *deck, name);
      work(*session, true);
      close_session(*session);
    }
  };
}

const std::vector<Subcommand>& subcommands() {
  static const std::vector<Subcommand> table{
      {"run", "DECK: the whole job, from checkpoints to emergence.h5", run},
      {"extract", "DECK: residual streams at the last token of every probe, one file per checkpoint",
       stage("extract", extract)},
      {"train", "DECK: a sparse autoencoder on every anchor", stage("train", train)},
      {"interpret", "DECK: a label for every latent, verified on probes it was not made from",
       stage("interpret", interpret)},
      {"match", "DECK: labels matched to subjects, and what hangs on the threshold",
       stage("match", match_and_sweep)},
      {"align", "DECK: every site of the curves aligned with its anchor by Procrustes",
       stage("align", align)},
      {"track", "DECK: concepts followed along the curves, into emergence.h5", stage("track", track)},
      {"attribute",
       "DECK [--ablate=mlp:5]: who wrote a concept into the layers, who erased it, and whether they did",
       attribute_and_ablate},
      {"sweep", "DECK [--k=1,2,4] [--latents=64,128]: what hangs on the size of the dictionary", sweep},
      {"loss", "DECK: mean next-token loss of the probes at every checkpoint", loss},
      {"plan", "DECK --ranks=64: who would do what, for how long, with how much memory and I/O", plan_run},
      {"calibrate", "[--output=machine.json]: what a rank of this machine does in a second, for `plan`",
       calibrate},
      {"models", "FAMILY: what is in a family of checkpoints, and what is missing", models},
      {"audit", "FAMILY [--output=FOLDER]: whether every checkpoint is what its name says", audit},
      {"phantom", "--out=FOLDER [--seed=1] [--null]: a family whose concepts were planted, and the truth",
       phantom},
      {"sheet", "EMERGENCE.h5 [--latents=30]: a blinded sheet on which people judge labels", sheet},
      {"agree", "KEY.h5 FILLED.csv ...: how far people and the teacher agree", agree},
      {"doctor", "[DECK] [--folder=DIR]: what this machine and this folder will do to a run, with advice",
       doctor},
      {"inspect", "FILE [--validate | --latent time:37]: what is in a file of results, or known of a latent",
       inspect},
  };
  return table;
}

std::string usage() {
  std::string text =
      "usage: incipit SUBCOMMAND ... | incipit --version | incipit SUBCOMMAND --help\n"
      "       mpirun -n RANKS incipit run DECK [--section.key=value ...]\n\n"
      "Tells when, where and at what scale concepts are born in language models.\n\n";
  for (const auto& s : subcommands()) text += fmt::format("  {:<10} {}\n", s.name, s.what);
  text +=
      "\nA deck is an INI file; `incipit run --help` lists its keys. Exit codes: 0 done, 64 command line or "
      "deck, 65 data,\n"
      "69 service, 70 defect, 71 machine, 74 input/output, 75 stopped early (the same command goes on), 76 "
      "numbers.\n";
  return text;
}

std::string version_text() {
  auto text =
      fmt::format("incipit {} ({})\n{}; {}\n", program_version, commit, library_versions(), thread_level());
  for (const auto& line : device::describe_cuda()) text += line + "\n";
  return text;
}

}  // namespace

void dispatch(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (words.empty()) throw Error(Exit::usage, "a subcommand is missing\n\n" + usage());
  const auto& first = words.front();
  if (first == "--help" || first == "-h" || first == "help") {
    if (world.root()) fmt::print("{}", usage());
    return;
  }
  if (first == "--version") {
    if (world.root()) fmt::print("{}", version_text());
    return;
  }
  for (const auto& s : subcommands())
    if (first == s.name) return s.action(world, {words.begin() + 1, words.end()});
  throw Error(Exit::usage, fmt::format("no subcommand '{}'\n\n{}", first, usage()));
}

}  // namespace incipit::command
