#pragma once

#include <cstddef>
#include <span>
#include <vector>

/// Who does which checkpoints: what a run does, and `incipit plan` prints.
namespace incipit::plan {

/// A pass over a checkpoint, as far as it matters who does it.
struct Pass {
  double computing = 0;  ///< seconds of one rank; ranks of a team divide it
  double reading = 0;  ///< seconds of one rank, beside computing, each time that the weights stream past it;
                       ///< ranks of a team divide it on each node
  bool first = false;  ///< something waits for it: it goes before all others
  int most_ranks = 1;  ///< that can share it: its packs
  double waves =
      1;  ///< times that the weights stream past one rank; ranks of a team divide them, to one each

  /// Of a team that stands on so many nodes, each of which reads all weights.
  [[nodiscard]] double seconds_with(int ranks, int nodes = 1) const;
  /// How often the weights stream past a team of so many ranks, all of them at a time.
  [[nodiscard]] double waves_with(int ranks) const;
};

struct Teams {
  std::vector<int> team;   ///< of each rank
  std::vector<int> nodes;  ///< of each team, how many it stands on
  std::vector<std::vector<std::size_t>>
      work;  ///< passes of each team, in the order they are done; maybe none

  [[nodiscard]] int ranks_of(std::size_t team_wanted) const;
};

/// How many ranks the fullest node has.
[[nodiscard]] int most_on_a_node(std::span<const int> node_of);

/// Shares passes out over ranks so that the last team is done early: one rank for each team where there are
/// many passes; larger teams where there are fewer passes than ranks, or where one pass takes longer than all
/// others together on the ranks that are left. Passes are dealt longest first to the team that will be done
/// first. `node_of` each rank: a team's ranks stand on one node as far as that goes. Ties go to the lower
/// index, so that every rank computes the same.
[[nodiscard]] Teams make_teams(std::span<const Pass> passes, std::span<const int> node_of);

/// The order in which passes are begun: what is waited for, then the longest.
[[nodiscard]] std::vector<std::size_t> order_of(std::span<const Pass> passes);

/// What is left once each team has begun with the first of its passes, which its size was chosen for: in
/// the order in which teams take from it whenever they are done, where they do so (run.queue).
[[nodiscard]] std::vector<std::size_t> left_to_all(const Teams& teams, std::span<const Pass> passes);

/// The fewest ranks with which the last team is done no more than a fiftieth later.
[[nodiscard]] int useful_ranks(std::span<const Pass> passes, std::span<const int> node_of);

}  // namespace incipit::plan
