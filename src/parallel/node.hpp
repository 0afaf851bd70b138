#pragma once

#include <set>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// This rank's place among the ranks of the communicator that share its node.
struct NodeShare {
  int rank, size;
};

/// The ranks of the communicator that share this rank's node. Collective.
[[nodiscard]] Communicator on_this_node(const Communicator& comm);

/// Collective.
[[nodiscard]] NodeShare node_share(const Communicator& comm);

/// The node of every rank, numbered in the order in which the ranks first stand on them. Collective.
[[nodiscard]] std::vector<int> node_of_ranks(const Communicator& comm);

/// The physical cores this rank may run on, each by its first hardware thread.
[[nodiscard]] std::set<int> cores_of_this_rank();

/// Threads for this rank: the physical cores of its affinity mask, each shared out evenly over the ranks of
/// the node that may run on it; at least 1. Collective.
[[nodiscard]] int default_threads(const Communicator& comm);

}  // namespace incipit::parallel
