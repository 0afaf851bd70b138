#include "plan/teams.hpp"

#include <algorithm>
#include <climits>
#include <deque>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <utility>

#include "parallel/work.hpp"

namespace incipit::plan {
namespace {

std::vector<std::size_t> numbered(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

constexpr int nobody = -1;

/// Where the ranks of teams are, node by node.
struct Seats {
  std::vector<int> team;   ///< of each rank, or nobody
  std::vector<int> nodes;  ///< of each team, how many
};

/// Large teams choose first: the fullest node that still has room for all of their ranks, or else those with
/// most room, since each node of a team reads all weights. At least as many ranks as teams want.
Seats seat(const std::vector<int>& ranks_of_team, std::span<const int> node_of) {
  std::map<int, std::deque<std::size_t>> free;  // ranks of each node
  for (std::size_t r = 0; r < node_of.size(); ++r) free[node_of[r]].push_back(r);
  std::set<std::pair<std::size_t, int>> nodes;  // by how many that is
  for (const auto& [node, ranks] : free) nodes.emplace(ranks.size(), node);
  auto order = numbered(ranks_of_team.size());
  std::ranges::stable_sort(order, std::greater<>(), [&](auto t) { return ranks_of_team[t]; });
  Seats seats{std::vector<int>(node_of.size(), nobody), std::vector<int>(ranks_of_team.size(), 0)};
  for (const auto t : order) {
    for (auto left = static_cast<std::size_t>(ranks_of_team[t]); left > 0; ++seats.nodes[t]) {
      auto best = nodes.lower_bound({left, INT_MIN});
      if (best == nodes.end()) best = nodes.lower_bound({nodes.rbegin()->first, INT_MIN});
      const int node = best->second;
      nodes.erase(best);
      auto& ranks = free[node];
      for (; left > 0 && !ranks.empty(); --left) {
        seats.team[ranks.front()] = static_cast<int>(t);
        ranks.pop_front();
      }
      if (!ranks.empty()) nodes.emplace(ranks.size(), node);
    }
  }
  return seats;
}

/// Passes dealt to a number of teams, and their ranks.
struct Deal {
  std::vector<std::vector<std::size_t>> work;  ///< passes of each team
  Seats seats;
  double slowest = 0;  ///< seconds
};

class Dealer {
 public:
  Dealer(std::span<const Pass> passes, std::span<const int> node_of)
      : passes_(passes), node_of_(node_of), ranks_per_node_(most_on_a_node(node_of)) {
    for (const Pass& pass : passes) costs_.push_back(pass.seconds_with(1));
  }

  /// To so many teams, no more than ranks: one rank each, and the others one by one to whoever is done last.
  [[nodiscard]] Deal deal(int teams) const {
    Deal deal;
    deal.work.resize(static_cast<std::size_t>(teams));
    const auto owner = parallel::assign_longest_first(costs_, teams);
    for (std::size_t p = 0; p < passes_.size(); ++p)
      deal.work[static_cast<std::size_t>(owner[p])].push_back(p);
    const auto ranks = ranks_for(deal.work);
    deal.seats = seat(ranks, node_of_);
    for (std::size_t t = 0; t < deal.work.size(); ++t)
      deal.slowest = std::max(deal.slowest, seconds(deal.work[t], ranks[t], deal.seats.nodes[t]));
    return deal;
  }

 private:
  [[nodiscard]] std::vector<int> ranks_for(const std::vector<std::vector<std::size_t>>& work) const {
    std::vector<int> ranks(work.size(), 1);
    using Load = std::pair<double, std::size_t>;  // seconds, team
    const auto earlier = [](const Load& a, const Load& b) {
      return a.first != b.first ? a.first < b.first : a.second > b.second;
    };
    std::priority_queue<Load, std::vector<Load>, decltype(earlier)> loads(earlier);
    for (std::size_t t = 0; t < work.size(); ++t) loads.push({seconds(work[t], 1, 1), t});
    for (auto left = node_of_.size() - work.size(); left > 0; --left) {
      const auto [before, t] = loads.top();
      const int more = ranks[t] + 1;
      const double after = seconds(work[t], more, (more + ranks_per_node_ - 1) / ranks_per_node_);
      if (!(after < before)) break;  // more ranks would find nothing to do there, and nobody else decides
      loads.pop();
      ranks[t] = more;
      loads.push({after, t});
    }
    return ranks;
  }

  [[nodiscard]] double seconds(const std::vector<std::size_t>& work, int ranks, int nodes) const {
    double sum = 0;
    for (const auto p : work) sum += passes_[p].seconds_with(ranks, nodes);
    return sum;
  }

  std::span<const Pass> passes_;
  std::span<const int> node_of_;
  int ranks_per_node_;
  std::vector<double> costs_;
};

/// As many teams as there can be, unless fewer and larger ones are done a tenth earlier: ranks of a team wait
/// for each other.
Deal best_deal(std::span<const Pass> passes, std::span<const int> node_of) {
  const Dealer dealer(passes, node_of);
  int teams = std::clamp(static_cast<int>(passes.size()), 1, static_cast<int>(node_of.size()));
  Deal best = dealer.deal(teams);
  while (teams > 1) {
    teams = teams * 4 / 5;
    Deal fewer = dealer.deal(teams);
    if (fewer.slowest < 0.9 * best.slowest) best = std::move(fewer);
  }
  return best;
}

}  // namespace

double Pass::waves_with(int ranks) const {
  return std::max(1.0, waves / std::clamp(ranks, 1, std::max(1, most_ranks)));
}

double Pass::seconds_with(int ranks, int nodes) const {
  const int dividing = std::clamp(ranks, 1, std::max(1, most_ranks));
  const double readers = std::max(1.0, static_cast<double>(dividing) / nodes);  // on each node
  return std::max(computing / dividing, reading * waves_with(ranks) / readers);
}

int most_on_a_node(std::span<const int> node_of) {
  std::map<int, int> ranks;
  int most = 0;
  for (const int node : node_of) most = std::max(most, ++ranks[node]);
  return most;
}

int Teams::ranks_of(std::size_t team_wanted) const {
  return static_cast<int>(std::ranges::count(team, static_cast<int>(team_wanted)));
}

std::vector<std::size_t> order_of(std::span<const Pass> passes) {
  auto order = numbered(passes.size());
  std::ranges::stable_sort(order, [&](auto a, auto b) {
    if (passes[a].first != passes[b].first) return passes[a].first;
    return passes[a].seconds_with(1) > passes[b].seconds_with(1);
  });
  return order;
}

std::vector<std::size_t> left_to_all(const Teams& teams, std::span<const Pass> passes) {
  auto left = order_of(passes);
  for (const auto& work : teams.work)
    if (!work.empty()) std::erase(left, work.front());
  return left;
}

Teams make_teams(std::span<const Pass> passes, std::span<const int> node_of) {
  Deal deal = best_deal(passes, node_of);
  std::vector<std::size_t> place(passes.size());  // in the order of all
  const auto order = order_of(passes);
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  for (auto& work : deal.work) std::ranges::sort(work, {}, [&](auto p) { return place[p]; });
  Teams teams{std::move(deal.seats.team), std::move(deal.seats.nodes), std::move(deal.work)};
  // Who is left over forms a team without work.
  const auto rest = static_cast<int>(teams.work.size());
  if (std::ranges::find(teams.team, nobody) == teams.team.end()) return teams;
  std::ranges::replace(teams.team, nobody, rest);
  teams.work.emplace_back();
  teams.nodes.push_back(0);
  return teams;
}

int useful_ranks(std::span<const Pass> passes, std::span<const int> node_of) {
  const double bound = 1.02 * best_deal(passes, node_of).slowest;
  auto enough = node_of.size();
  // Fewer ranks never make it faster, so that halving finds the fewest.
  for (std::size_t low = 1; low < enough;) {
    const auto middle = (low + enough) / 2;
    if (best_deal(passes, node_of.first(middle)).slowest <= bound) {
      enough = middle;
    } else {
      low = middle + 1;
    }
  }
  return static_cast<int>(enough);
}

}  // namespace incipit::plan
