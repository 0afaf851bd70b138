#include "plan/teams.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

#include "parallel/work.hpp"

namespace incipit::plan {
namespace {

std::vector<std::size_t> numbered(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

/// Passes dealt to a number of teams, and their ranks.
struct Deal {
  std::vector<int> owner;  ///< of each pass
  std::vector<int> ranks;  ///< of each team
  double slowest = 0;      ///< seconds
};

class Dealer {
 public:
  Dealer(std::span<const Pass> passes, int ranks) : passes_(passes), ranks_(ranks) {
    for (const Pass& pass : passes) costs_.push_back(pass.seconds_with(1));
  }

  /// To so many teams, no more than ranks: one rank each, and the others one by one to whoever is done last.
  [[nodiscard]] Deal deal(int teams) const {
    Deal deal{parallel::assign_longest_first(costs_, teams),
              std::vector<int>(static_cast<std::size_t>(teams), 1)};
    std::vector<std::vector<std::size_t>> work(deal.ranks.size());
    for (std::size_t p = 0; p < passes_.size(); ++p)
      work[static_cast<std::size_t>(deal.owner[p])].push_back(p);
    using Load = std::pair<double, std::size_t>;  // seconds, team
    const auto earlier = [](const Load& a, const Load& b) {
      return a.first != b.first ? a.first < b.first : a.second > b.second;
    };
    std::priority_queue<Load, std::vector<Load>, decltype(earlier)> loads(earlier);
    for (std::size_t t = 0; t < work.size(); ++t) loads.push({seconds(work[t], 1), t});
    for (int left = ranks_ - teams; left > 0; --left) {
      const auto [before, t] = loads.top();
      const double after = seconds(work[t], deal.ranks[t] + 1);
      if (!(after < before)) break;  // more ranks would find nothing to do there, and nobody else decides
      loads.pop();
      ++deal.ranks[t];
      loads.push({after, t});
    }
    deal.slowest = loads.top().first;
    return deal;
  }

 private:
  [[nodiscard]] double seconds(const std::vector<std::size_t>& work, int ranks) const {
    double sum = 0;
    for (const auto p : work) sum += passes_[p].seconds_with(ranks);
    return sum;
  }

  std::span<const Pass> passes_;
  int ranks_;
  std::vector<double> costs_;
};

/// As many teams as there can be, unless fewer and larger ones are done a tenth earlier: ranks of a team wait
/// for each other.
Deal best_deal(std::span<const Pass> passes, int ranks) {
  const Dealer dealer(passes, ranks);
  int teams = std::clamp(static_cast<int>(passes.size()), 1, ranks);
  Deal best = dealer.deal(teams);
  while (teams > 1) {
    teams = teams * 4 / 5;
    Deal fewer = dealer.deal(teams);
    if (fewer.slowest < 0.9 * best.slowest) best = std::move(fewer);
  }
  return best;
}

}  // namespace

double Pass::seconds_with(int ranks) const {
  const int dividing = std::clamp(ranks, 1, std::max(1, most_ranks));
  return std::max(computing / dividing, reading * std::max(1.0, waves / dividing));
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
  const Deal deal = best_deal(passes, static_cast<int>(node_of.size()));
  Teams teams;
  teams.work.resize(deal.ranks.size());
  for (const auto p : order_of(passes)) teams.work[static_cast<std::size_t>(deal.owner[p])].push_back(p);

  // Ranks in the order of their nodes, dealt out in one piece to each team; who is left over has no work.
  auto by_node = numbered(node_of.size());
  std::ranges::stable_sort(by_node, [&](auto a, auto b) { return node_of[a] < node_of[b]; });
  teams.team.resize(node_of.size());
  std::size_t team = 0;
  int taken = 0;
  for (const auto rank : by_node) {
    if (team < deal.ranks.size() && taken == deal.ranks[team]) {
      ++team;
      taken = 0;
    }
    if (team == teams.work.size()) teams.work.emplace_back();
    teams.team[rank] = static_cast<int>(team);
    ++taken;
  }
  return teams;
}

int useful_ranks(std::span<const Pass> passes, std::span<const int> node_of) {
  const double bound = 1.02 * best_deal(passes, static_cast<int>(node_of.size())).slowest;
  int enough = static_cast<int>(node_of.size());
  // Fewer ranks never make it faster, so that halving finds the fewest.
  for (int low = 1; low < enough;) {
    const int middle = (low + enough) / 2;
    if (best_deal(passes, middle).slowest <= bound) {
      enough = middle;
    } else {
      low = middle + 1;
    }
  }
  return enough;
}

}  // namespace incipit::plan
