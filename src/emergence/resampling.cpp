#include "emergence/resampling.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "error.hpp"
#include "random.hpp"

namespace incipit::emergence {
namespace {

using Lists = std::vector<std::vector<int32_t>>;

Lists groups_by_subject(const JudgeSet& judge) {
  Lists lists(static_cast<size_t>(judge.subjects));
  for (int64_t g = 0; g < judge.groups(); ++g)
    lists[static_cast<size_t>(judge.group_subject[static_cast<size_t>(g)])].push_back(
        static_cast<int32_t>(g));
  return lists;
}

int64_t size_of(const JudgeSet& judge, int64_t group) {
  const auto g = static_cast<size_t>(group);
  return judge.member_start[g + 1] - judge.member_start[g];
}

/// Groups that may take each other's place: of one stratum and one size.
Lists exchangeable_cells(const JudgeSet& judge) {
  std::map<std::pair<int32_t, int64_t>, std::vector<int32_t>> cells;
  for (int64_t g = 0; g < judge.groups(); ++g)
    cells[{judge.group_stratum[static_cast<size_t>(g)], size_of(judge, g)}].push_back(
        static_cast<int32_t>(g));
  Lists lists;
  lists.reserve(cells.size());
  for (auto& [key, groups] : cells) lists.push_back(std::move(groups));
  return lists;
}

double exchangeable_share(const JudgeSet& judge, const Lists& cells) {
  int64_t probes = 0;
  for (const auto& cell : cells) {
    const int32_t first = judge.group_subject[static_cast<size_t>(cell.front())];
    const bool mixed = std::any_of(cell.begin(), cell.end(), [&](int32_t g) {
      return judge.group_subject[static_cast<size_t>(g)] != first;
    });
    if (mixed) probes += static_cast<int64_t>(cell.size()) * size_of(judge, cell.front());
  }
  return judge.n() > 0 ? static_cast<double>(probes) / static_cast<double>(judge.n()) : 0;
}

void draw_groups(const Lists& by_subject, int64_t b, uint64_t seed, Resampling& out) {
  Random random(seed, Purpose::bootstrap, static_cast<uint64_t>(b));
  for (const auto& groups : by_subject)
    for (size_t draw = 0; draw < groups.size(); ++draw)
      ++out.weight[static_cast<size_t>(groups[random.below(groups.size())] * out.bootstrap + b)];
}

void permute_subjects(const JudgeSet& judge, const Lists& cells, int64_t p, uint64_t seed, Resampling& out) {
  Random random(seed, Purpose::permutation, static_cast<uint64_t>(p));
  for (const auto& cell : cells) {
    const auto order = permutation(static_cast<int64_t>(cell.size()), random);
    for (size_t at = 0; at < cell.size(); ++at) {
      const auto to = static_cast<size_t>(cell[at]),
                 from = static_cast<size_t>(cell[static_cast<size_t>(order[at])]);
      out.group_label[to * static_cast<size_t>(out.permutations) + static_cast<size_t>(p)] =
          judge.group_subject[from];
      for (int64_t i = 0; i < size_of(judge, cell[at]); ++i) {
        const int32_t probe = judge.member[static_cast<size_t>(judge.member_start[to] + i)];
        const int32_t source = judge.member[static_cast<size_t>(judge.member_start[from] + i)];
        out.label[static_cast<size_t>(probe) * static_cast<size_t>(out.permutations) +
                  static_cast<size_t>(p)] = judge.subject[static_cast<size_t>(source)];
      }
    }
  }
}

}  // namespace

Resampling make_resampling(const JudgeSet& judge, const TrackOptions& options, uint64_t seed) {
  if (options.bootstrap < 0 || options.permutations < 0)
    throw Error(Exit::usage, "track.bootstrap and track.permutations must not be negative; found " +
                                 std::to_string(options.bootstrap) + " and " +
                                 std::to_string(options.permutations));
  Resampling out;
  out.bootstrap = options.bootstrap;
  out.permutations = options.permutations;
  out.weight.assign(static_cast<size_t>(judge.groups() * out.bootstrap), 0);
  out.label.assign(static_cast<size_t>(judge.n() * out.permutations), 0);
  out.group_label.assign(static_cast<size_t>(judge.groups() * out.permutations), 0);
  const Lists by_subject = groups_by_subject(judge), cells = exchangeable_cells(judge);
  out.exchangeable = exchangeable_share(judge, cells);
  // A draw writes its own column only.
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < out.bootstrap; ++b) draw_groups(by_subject, b, seed, out);
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < out.permutations; ++p) permute_subjects(judge, cells, p, seed, out);
  return out;
}

}  // namespace incipit::emergence
