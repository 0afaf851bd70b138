#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include "command/checkup.hpp"
#include "command/command.hpp"
#include "command/device.hpp"
#include "command/machine.hpp"
#include "command/option.hpp"
#include "command/result_bytes.hpp"
#include "command/study.hpp"
#include "command/trial.hpp"
#include "console/console.hpp"
#include "console/progress.hpp"
#include "deck/deck.hpp"
#include "device/cuda.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/node.hpp"
#include "store/files.hpp"
#include "store/process.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

constexpr const char* doctor_usage =
    "usage: mpirun -n RANKS incipit doctor [DECK] [--folder=DIR] [--section.key=value ...]\n"
    "Looks at the nodes, the libraries and a folder (run.output of the deck, or the working directory) as a "
    "run\n"
    "would use them, started as a run would be, and gives advice. With a deck it also says what room its "
    "results\n"
    "need. Exit codes: 0 nothing fails, 71 the machine, 74 the folder.\n";

struct Visit {
  std::optional<deck::Deck> deck;
  fs::path folder = ".";
};

Visit read_visit(const std::vector<std::string>& words) {
  Visit visit;
  const auto [overrides, others] = deck::part_words(words);
  std::vector<std::string> decks;
  std::optional<std::string> folder;
  for (const auto& word : others) {
    if (const auto value = value_of(word, "--folder=")) {
      folder = *value;
    } else {
      decks.push_back(word);
    }
  }
  if (decks.size() > 1 || (decks.size() == 1 && decks.front().starts_with("-")))
    throw Error(Exit::usage, fmt::format("found {}\n\n{}", decks.back(), doctor_usage));
  if (!decks.empty()) visit.deck = deck::load(decks.front(), overrides);
  if (!overrides.empty() && !visit.deck) throw Error(Exit::usage, "keys of a deck, but no deck");
  if (folder) visit.folder = *folder;
  if (!folder && visit.deck) visit.folder = visit.deck->run.output;
  return visit;
}

std::uint64_t soft_limit(decltype(RLIMIT_NOFILE) what) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return no_limit;
  return limit.rlim_cur;
}

/// Collective.
std::vector<RankFacts> facts_of_ranks(const parallel::Communicator& world, std::optional<int> threads) {
  RankFacts mine;
  const auto host = store::host_name();
  std::copy_n(host.begin(), std::min(host.size(), sizeof mine.host - 1), mine.host);
  mine.rank = world.rank();
  mine.threads = threads.value_or(parallel::default_threads(world));
  const auto node = parallel::on_this_node(world);
  const auto cores = parallel::cores_of_this_rank();
  std::map<int, int> users;
  for (const int core : node.all_gather(std::vector<int>(cores.begin(), cores.end()))) ++users[core];
  mine.cores = static_cast<int>(cores.size());
  mine.cores_of_node = static_cast<int>(users.size());
  mine.shared_cores =
      static_cast<int>(std::ranges::count_if(users, [](const auto& core) { return core.second > 1; }));
  mine.threads_of_node = static_cast<int>(node.sum(std::int64_t{mine.threads}));
  mine.ranks_of_node = node.size();
  mine.cuda_devices = device::cuda_devices();
  mine.open_files = soft_limit(RLIMIT_NOFILE);
  mine.locked = soft_limit(RLIMIT_MEMLOCK);
  mine.stack = soft_limit(RLIMIT_STACK);
  mine.core_size = soft_limit(RLIMIT_CORE);
  mine.address_space = soft_limit(RLIMIT_AS);
  mine.memory = available_memory();
  struct statvfs room {};
  if (statvfs("/dev/shm", &room) == 0)
    mine.shared_memory = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  std::error_code none;
  mine.infiniband = fs::exists("/sys/class/infiniband", none) && !fs::is_empty("/sys/class/infiniband", none);
  world.barrier();
  mine.clock = std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count();
  return world.all_gather(std::vector<RankFacts>{mine});
}

Libraries libraries_in_use(const std::string& file_system, const std::string& blas) {
  Libraries libraries;
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  parallel::check_mpi(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
  libraries.mpi = std::string(text, static_cast<std::size_t>(length));
  libraries.thread_level = thread_level();
  libraries.io = io_component(libraries.mpi, mpi_setting("io"), file_system);
  libraries.fcoll = mpi_setting("fcoll");
  H5get_libversion(&libraries.hdf5[0], &libraries.hdf5[1], &libraries.hdf5[2]);
  libraries.blas = blas;
  return libraries;
}

/// Bytes that are there already below a folder.
std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(folder, none))
    if (entry.is_regular_file(none)) bytes += entry.file_size(none);
  return bytes;
}

struct Room {
  std::uint64_t activations = 0, rest = 0;
};

/// What the results of a deck take. The largest activation file stands twice while it is made in parts.
Room room_of(const deck::Deck& deck, const Study& study) {
  double activations = 0, rest = 0;
  for (const auto& checkpoint : study.checkpoints) {
    const double bytes = activation_bytes(deck, study, checkpoint);
    activations += bytes;
    rest = std::max(rest, bytes);
  }
  for (const auto& dictionary : study.dictionaries) rest += dictionary_bytes(deck, study, dictionary);
  for (const auto& maps : study.maps) rest += maps_bytes(study, maps);
  return {static_cast<std::uint64_t>(activations), static_cast<std::uint64_t>(rest)};
}

void print(console::Console& console, const std::vector<Finding>& findings) {
  const auto word = [](Finding::Kind kind) {
    return kind == Finding::Kind::ok ? "ok" : kind == Finding::Kind::warning ? "warning" : "FAIL";
  };
  for (const auto& finding : findings) {
    console.line("{:<8} {:<18} {}", word(finding.kind), finding.what, finding.found);
    if (finding.kind != Finding::Kind::ok) console.line("{:<8} {:<18} -> {}", "", "", finding.advice);
  }
}

}  // namespace

void doctor(const parallel::Communicator& world, const std::vector<std::string>& words) {
  console::Console console(world.rank());
  if (std::ranges::find(words, "--help") != words.end() || std::ranges::find(words, "-h") != words.end()) {
    console.block(doctor_usage);
    return;
  }
  Visit visit;
  parallel::together(world, "", [&] { visit = read_visit(words); });
  const auto options = visit.deck ? visit.deck->run : deck::RunOptions{};
  const bool made = !fs::exists(visit.folder);
  world.barrier();
  parallel::together(world, "", [&] {
    if (world.root()) store::ensure_folder(visit.folder);
  });

  const auto ranks = facts_of_ranks(world, options.threads);
  std::vector<Finding> findings = judge_ranks(ranks, options.device == "cuda");
  const auto add = [&](std::vector<Finding> more) {
    findings.insert(findings.end(), more.begin(), more.end());
  };
  std::set<std::string> hosts;
  for (const auto& rank : ranks) hosts.insert(rank.host);
  const auto hints = options.mpi_hints.empty() ? std::vector<std::string>{} : parts_of(options.mpi_hints);
  const auto taken = hints_taken(world, visit.folder, hints);
  std::string blas = "not asked: no device";
  try {
    blas = choose_device(world, options, ranks[static_cast<std::size_t>(world.rank())].threads)
               .device->libraries();
  } catch (const parallel::Agreed& error) {
    add({{Finding::Kind::failure, "device", error.what(),
          "run.device = host, or ask the scheduler for devices"}});
  }
  const auto system = look_at_file_system(visit.folder);
  const auto libraries = libraries_in_use(system.type, blas);
  add(judge_libraries(libraries));
  add(judge_hints(hints, taken, libraries.io));
  add(judge_file_system(system, hosts.size()));
  add(try_folder(world, visit.folder, hints_of_files(options.mpi_hints)));
  if (visit.deck) {
    parallel::together(world, "", [&] {
      auto study = resolve(*visit.deck, Scope::curves);
      plan_trails(study, *visit.deck);
      const auto room = room_of(*visit.deck, study);
      add({judge_room(room.activations + room.rest, room.activations, bytes_below(visit.deck->run.output),
                      system.free, options.keep_activations)});
    });
  }
  std::error_code none;
  if (made && world.root()) fs::remove(visit.folder, none);  // where it is empty again

  console.line("incipit doctor on {} rank(s) of {} node(s), in {}\n", world.size(), hosts.size(),
               visit.folder.string());
  print(console, findings);
  // Rank 0 has looked at more than others; what it found counts.
  parallel::together(world, "", [&] {
    const auto failed = std::ranges::find(findings, Finding::Kind::failure, &Finding::kind);
    if (world.root() && failed != findings.end())
      throw Error(failed->code, fmt::format("doctor: {} is not fit for a run (above)", failed->what));
  });
}

}  // namespace incipit::command
