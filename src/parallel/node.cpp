#include "parallel/node.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::parallel {

namespace {

/// Hardware threads of one core share its arithmetic, so a core is named by the first of them.
int core_of(int cpu) {
  std::ifstream siblings("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                         "/topology/thread_siblings_list");
  int first = cpu;
  return siblings >> first ? first : cpu;
}

}  // namespace

std::set<int> cores_of_this_rank() {
  // Sized for the largest machines Linux runs on, beyond the 1024 CPUs of a plain cpu_set_t.
  constexpr int most_cpus = 8192;
  std::vector<cpu_set_t> mask(most_cpus / CPU_SETSIZE);
  const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
  std::set<int> cores;
  if (sched_getaffinity(0, bytes, mask.data()) == 0) {
    for (int cpu = 0; cpu < most_cpus; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, mask.data())) cores.insert(core_of(cpu));
    }
  }
  return cores;
}

Communicator on_this_node(const Communicator& comm) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(comm.handle(), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  int first = comm.rank();
  const int status = MPI_Bcast(&first, 1, MPI_INT, 0, node);
  check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
  check_mpi(status, "MPI_Bcast");
  return comm.split(first, 0);
}

NodeShare node_share(const Communicator& comm) {
  const Communicator node = on_this_node(comm);
  return {node.rank(), node.size()};
}

std::vector<int> node_of_ranks(const Communicator& comm) {
  const Communicator node = on_this_node(comm);
  // A node goes by its first rank, until all are known.
  std::int64_t first = comm.rank();
  first = node.min(first);
  std::map<std::int64_t, int> numbers;
  std::vector<int> nodes;
  for (const auto of : comm.all_gather(std::span<const std::int64_t>(&first, 1)))
    nodes.push_back(numbers.emplace(of, static_cast<int>(numbers.size())).first->second);
  return nodes;
}

int default_threads(const Communicator& comm) {
  const Communicator node = on_this_node(comm);
  const std::set<int> mine = cores_of_this_rank();
  std::map<int, int> users;
  for (const int core : node.all_gather(std::vector<int>(mine.begin(), mine.end()))) ++users[core];
  double share = 0;
  for (const int core : mine) share += 1.0 / users[core];
  // A third of a core, three times, is one core.
  return std::max(1, static_cast<int>(share + 1e-6));
}

}  // namespace incipit::parallel
