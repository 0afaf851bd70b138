#include "command/checkup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "console/progress.hpp"

namespace incipit::command {
namespace {

using console::human_bytes;
using Kind = Finding::Kind;

constexpr std::uint64_t mebi = 1 << 20;
constexpr std::uint64_t gibi = 1 << 30;

std::string bytes_text(std::uint64_t bytes) {
  return bytes == no_limit ? "no limit" : human_bytes(static_cast<double>(bytes));
}

/// One rank of each node, the first.
std::vector<const RankFacts*> nodes_of(const std::vector<RankFacts>& ranks) {
  std::map<std::string, const RankFacts*> first;
  for (const auto& rank : ranks) first.emplace(rank.host, &rank);
  std::vector<const RankFacts*> nodes;
  for (const auto& [host, rank] : first) nodes.push_back(rank);
  return nodes;
}

template <class Field>
const RankFacts& least(const std::vector<RankFacts>& ranks, Field field) {
  return *std::ranges::min_element(ranks, {}, field);
}

std::string at(const RankFacts& rank) {
  return fmt::format("rank {} on {}", rank.rank, static_cast<const char*>(rank.host));
}

Finding judge_hosts(const std::vector<RankFacts>& ranks) {
  std::vector<std::string> hosts;
  for (const auto* node : nodes_of(ranks))
    hosts.push_back(fmt::format("{} ({})", static_cast<const char*>(node->host), node->ranks_of_node));
  const auto count = hosts.size();
  if (count > 8) hosts.resize(8);
  return {Kind::ok, "nodes (ranks)", fmt::format("{}{}", fmt::join(hosts, ", "), count > 8 ? ", ..." : "")};
}

Finding judge_cores(const std::vector<RankFacts>& ranks) {
  for (const auto* node : nodes_of(ranks)) {
    const auto found =
        fmt::format("{} ranks with {} threads in all on {} cores of {}", node->ranks_of_node,
                    node->threads_of_node, node->cores_of_node, static_cast<const char*>(node->host));
    if (node->threads_of_node > node->cores_of_node)
      return {Kind::warning, "cores", found,
              "threads wait for each other: fewer ranks per node, fewer run.threads, or bind wider "
              "(mpirun --bind-to none, srun --cpus-per-task)"};
    if (2 * node->threads_of_node <= node->cores_of_node)
      return {Kind::warning, "cores", found,
              "half of the cores or more lie idle: raise run.threads, or run more ranks"};
  }
  const auto& node = *nodes_of(ranks).front();
  return {Kind::ok, "cores",
          fmt::format("{} ranks x {} threads on {} cores of each node", node.ranks_of_node, node.threads,
                      node.cores_of_node)};
}

Finding judge_binding(const std::vector<RankFacts>& ranks) {
  for (const auto& rank : ranks)
    if (rank.shared_cores > 0 && rank.cores < rank.cores_of_node)
      return {
          Kind::warning, "binding",
          fmt::format("{} cores of {} belong to several ranks, others to one", rank.shared_cores,
                      static_cast<const char*>(rank.host)),
          "bind each rank to cores of its own, or none at all: mpirun --bind-to none, srun --cpu-bind=cores"};
  const auto& rank = ranks.front();
  return {Kind::ok, "binding",
          rank.ranks_of_node > 1 && rank.shared_cores > 0 ? "ranks share the cores of their node"
                                                          : "each rank has cores of its own"};
}

Finding judge_devices(const std::vector<RankFacts>& ranks, bool wanted) {
  const auto& fewest = least(ranks, &RankFacts::cuda_devices);
  const auto most = std::ranges::max_element(ranks, {}, &RankFacts::cuda_devices)->cuda_devices;
  if (fewest.cuda_devices == 0 && (wanted || most > 0))
    return {
        wanted ? Kind::failure : Kind::warning, "CUDA devices",
        fmt::format("{} sees none, others up to {}", at(fewest), most),
        "ask the scheduler for one per rank (srun --gpus-per-task=1); a run computes on one kind of device"};
  if (most == 0) return {Kind::ok, "CUDA devices", "none: the host computes"};
  for (const auto& rank : ranks)
    if (rank.cuda_devices > 1 && rank.ranks_of_node > rank.cuda_devices)
      return {Kind::warning, "CUDA devices",
              fmt::format("{} ranks share {} devices on {}", rank.ranks_of_node, rank.cuda_devices,
                          static_cast<const char*>(rank.host)),
              "as many ranks per node as it has devices"};
  return {Kind::ok, "CUDA devices", fmt::format("{} to {} seen by each rank", fewest.cuda_devices, most)};
}

std::vector<Finding> judge_limits(const std::vector<RankFacts>& ranks) {
  std::vector<Finding> findings;
  const auto& files = least(ranks, &RankFacts::open_files);
  const auto open = fmt::format(
      "{} on {}", bytes_text(files.open_files) == "no limit" ? "no limit" : std::to_string(files.open_files),
      at(files));
  if (files.open_files < 128) {
    findings.push_back({Kind::failure, "open files", open, "ulimit -n 4096 in the job script"});
  } else if (files.open_files < 1024) {
    findings.push_back({Kind::warning, "open files", open, "ulimit -n 4096 in the job script"});
  } else {
    findings.push_back({Kind::ok, "open files", open});
  }
  const auto& stack = least(ranks, &RankFacts::stack);
  findings.push_back(stack.stack < mebi
                         ? Finding{Kind::warning, "stack", bytes_text(stack.stack) + ", " + at(stack),
                                   "ulimit -s 8192 in the job script"}
                         : Finding{Kind::ok, "stack", bytes_text(stack.stack)});
  const auto& locked = least(ranks, &RankFacts::locked);
  const bool network = std::ranges::any_of(ranks, &RankFacts::infiniband);
  findings.push_back(network && locked.locked < 64 * mebi
                         ? Finding{Kind::warning, "locked memory",
                                   bytes_text(locked.locked) + ", " + at(locked),
                                   "InfiniBand needs more: ulimit -l unlimited, set by the site"}
                         : Finding{Kind::ok, "locked memory", bytes_text(locked.locked)});
  const auto& space = least(ranks, &RankFacts::address_space);
  findings.push_back(space.address_space < space.memory
                         ? Finding{Kind::warning, "address space",
                                   bytes_text(space.address_space) + ", " + at(space),
                                   "ulimit -v unlimited: weights are read into memory that counts here"}
                         : Finding{Kind::ok, "address space", bytes_text(space.address_space)});
  const auto& core = *std::ranges::max_element(ranks, {}, &RankFacts::core_size);
  findings.push_back(
      core.core_size > gibi && ranks.size() >= 16
          ? Finding{Kind::warning, "core files", bytes_text(core.core_size) + " for each of many ranks",
                    "ulimit -c 0 in the job script: a crash would write the memory of all ranks"}
          : Finding{Kind::ok, "core files", bytes_text(core.core_size)});
  return findings;
}

std::vector<Finding> judge_memory(const std::vector<RankFacts>& ranks) {
  const auto share = [](const RankFacts& rank) {
    return rank.memory / static_cast<unsigned>(rank.ranks_of_node);
  };
  const auto& poorest = least(ranks, share);
  const auto found = fmt::format("{} for each rank of {}", bytes_text(share(poorest)),
                                 static_cast<const char*>(poorest.host));
  std::vector<Finding> findings{
      share(poorest) < gibi
          ? Finding{Kind::warning, "memory", found, "fewer ranks per node, each with more threads"}
          : Finding{Kind::ok, "memory", found}};
  const auto& narrow = least(ranks, &RankFacts::shared_memory);
  const auto room =
      fmt::format("{} free on {}", bytes_text(narrow.shared_memory), static_cast<const char*>(narrow.host));
  const bool tight = narrow.shared_memory < 64 * mebi * static_cast<unsigned>(narrow.ranks_of_node);
  findings.push_back(
      tight && narrow.ranks_of_node > 1
          ? Finding{Kind::warning, "/dev/shm", room,
                    "ranks of a node talk through it; a container gets more with --shm-size=1g"}
          : Finding{Kind::ok, "/dev/shm", room});
  return findings;
}

Finding judge_clocks(const std::vector<RankFacts>& ranks) {
  const auto& behind = least(ranks, &RankFacts::clock);
  const auto& ahead = *std::ranges::max_element(ranks, {}, &RankFacts::clock);
  const double apart = static_cast<double>(ahead.clock - behind.clock) / 1000;
  if (apart <= 2) return {Kind::ok, "clocks", fmt::format("{:.1f} s apart at most", apart)};
  return {Kind::warning, "clocks",
          fmt::format("{} is {:.1f} s behind {}", static_cast<const char*>(behind.host), apart,
                      static_cast<const char*>(ahead.host)),
          "ask the site to set its clocks (NTP): the age of locks is told by them"};
}

/// "Open MPI v4.0.3" → {4, 0, 3}; zeros where it is another library.
std::array<int, 3> open_mpi(const std::string& text) {
  std::array<int, 3> version{};
  if (std::sscanf(text.c_str(), "Open MPI v%d.%d.%d", &version[0], &version[1], &version[2]) < 2) return {};
  return version;
}

std::string first_part(const std::string& text) {
  auto part = text.substr(0, text.find_first_of(",\n"));
  std::ranges::replace(part, '\t', ' ');
  return part;
}

}  // namespace

std::vector<Finding> judge_ranks(const std::vector<RankFacts>& ranks, bool cuda_wanted) {
  std::vector<Finding> findings{judge_hosts(ranks), judge_cores(ranks), judge_binding(ranks),
                                judge_devices(ranks, cuda_wanted)};
  for (auto&& part : {judge_limits(ranks), judge_memory(ranks)})
    findings.insert(findings.end(), part.begin(), part.end());
  findings.push_back(judge_clocks(ranks));
  return findings;
}

std::vector<Finding> judge_libraries(const Libraries& libraries) {
  const auto version = open_mpi(libraries.mpi);
  std::vector<Finding> findings{{Kind::ok, "MPI", first_part(libraries.mpi) + ", " + libraries.thread_level}};
  if (version[0] == 4 && libraries.io == "ROMIO") {
    findings.push_back(
        {Kind::warning, "MPI-IO", "ROMIO, in Open MPI 4",
         "it crashes on chunked datasets; ours are contiguous, but prefer OMPI_MCA_io=ompio where "
         "the file system is not Lustre"});
  } else {
    findings.push_back({Kind::ok, "MPI-IO", libraries.io});
  }
  const bool other_fcoll = !libraries.fcoll.empty() && libraries.fcoll.find("vulcan") == std::string::npos;
  if (version == std::array<int, 3>{4, 0, 3} && libraries.io == "ompio" && !other_fcoll)
    findings.push_back({Kind::failure, "collective writes", "Open MPI 4.0.3 with its component vulcan",
                        "it hangs in collective writes: OMPI_MCA_fcoll=two_phase, or another release"});
  const auto hdf5 = std::tuple(libraries.hdf5[0], libraries.hdf5[1], libraries.hdf5[2]);
  const auto name = fmt::format("{}.{}.{}", libraries.hdf5[0], libraries.hdf5[1], libraries.hdf5[2]);
  const auto* note = hdf5 <= std::tuple(1U, 10U, 8U)
                         ? " (its collective metadata is broken up to 1.10.8: ours is independent)"
                         : "";
  findings.push_back({Kind::ok, "HDF5", name + note});
  findings.push_back({Kind::ok, "BLAS", libraries.blas + "; one thread a call, run.threads calls at once"});
  return findings;
}

std::vector<Finding> judge_file_system(const FileSystem& system, std::size_t hosts) {
  const auto& type = system.type;
  const bool unlocked = system.locking == "FALSE" || system.locking == "0" || system.locking == "BEST_EFFORT";
  std::vector<Finding> findings;
  if (hosts > 1 &&
      (type == "tmpfs" || type == "overlay" || type == "ext4" || type == "xfs" || type == "btrfs")) {
    findings.push_back({Kind::failure, "file system", fmt::format("{}, on {} nodes", type, hosts),
                        "each node has its own: choose a folder on the parallel file system", Exit::io});
  } else if (type == "tmpfs" || type == "overlay") {
    findings.push_back({Kind::warning, "file system", type,
                        "it is gone with the machine or the container: for trials alone"});
  } else if (type == "NFS") {
    findings.push_back(
        {Kind::warning, "file system", type,
         "no parallel file system: few ranks write at a time; use the site's scratch for large runs"});
  } else {
    findings.push_back({Kind::ok, "file system", type});
  }
  if ((type == "NFS" || type == "Lustre") && !unlocked)
    findings.push_back(
        {Kind::warning, "HDF5 file locking", "on, on " + type,
         "export HDF5_USE_FILE_LOCKING=FALSE where files cannot be opened or it takes long: our own "
         "locks do not need it"});
  if (type == "Lustre" && system.stripes == 1)
    findings.push_back(
        {Kind::warning, "stripes", "1",
         "files of many GB: lfs setstripe -c 4 FOLDER before the run, or --run.mpi_hints=striping_factor=4"});
  else if (type == "Lustre")
    findings.push_back(
        {Kind::ok, "stripes", system.stripes == 0 ? "not known (no lfs)" : std::to_string(system.stripes)});
  const auto free = bytes_text(system.free);
  if (system.free < 16 * mebi) {
    findings.push_back(
        {Kind::failure, "free space", free, "make room, or choose another run.output", Exit::io});
  } else if (system.free < gibi) {
    findings.push_back(
        {Kind::warning, "free space", free, "`incipit doctor DECK` says how much a run needs"});
  } else {
    findings.push_back({Kind::ok, "free space", free});
  }
  return findings;
}

Finding judge_room(std::uint64_t need, std::uint64_t activations, std::uint64_t there, std::uint64_t free,
                   bool keep) {
  const auto to_come = need > there ? need - there : 0;
  auto found = fmt::format("{} for the results, {} of them activations; {} are there, {} free",
                           bytes_text(need), bytes_text(activations), bytes_text(there), bytes_text(free));
  if (to_come > free)
    return {
        Kind::failure, "room", found,
        "make room, or choose fewer layers or steps, or extract.dtype = float16, which halves activations",
        Exit::io};
  if (to_come > free - free / 10)
    return {Kind::warning, "room", found, "it will be tight: others write here too"};
  if (keep && activations > gibi)
    found += fmt::format("; run.keep_activations=no gives {} back while the curves are measured",
                         bytes_text(activations));
  return {Kind::ok, "room", found};
}

std::string io_component(const std::string& mpi, const std::string& setting, const std::string& file_system) {
  if (open_mpi(mpi)[0] == 0) return "ROMIO";
  if (setting.empty()) return open_mpi(mpi)[0] < 5 && file_system == "Lustre" ? "ROMIO" : "ompio";
  const bool without = setting.front() == '^';
  return (setting.find("romio") != std::string::npos) != without ? "ROMIO" : "ompio";
}

std::vector<Finding> judge_hints(const std::vector<std::string>& given, const std::vector<std::string>& taken,
                                 const std::string& component) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto value = given[i].substr(given[i].find('=') + 1);
    std::string wrong;
    if (taken[i].empty()) {
      wrong = "not known to the library";
    } else if (taken[i] != value) {
      wrong = "the library makes it " + taken[i];
    } else if (component == "ompio" && given[i].starts_with("romio_")) {
      wrong = "ompio does not know what is ROMIO's";
    }
    if (wrong.empty()) {
      findings.push_back({Kind::ok, "hint", given[i]});
    } else {
      findings.push_back({Kind::warning, "hint", given[i] + ": " + wrong, "leave it out of run.mpi_hints"});
    }
  }
  return findings;
}

}  // namespace incipit::command
