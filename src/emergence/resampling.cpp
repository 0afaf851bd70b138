#include "emergence/resampling.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "error.hpp"

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

/// Lists one after the other, as the device takes them.
struct FlatLists {
  std::vector<int64_t> start{0};
  std::vector<int32_t> item;
};

FlatLists flatten(const Lists& lists) {
  FlatLists out;
  for (const auto& list : lists) {
    out.item.insert(out.item.end(), list.begin(), list.end());
    out.start.push_back(static_cast<int64_t>(out.item.size()));
  }
  return out;
}

template <class T>
device::Buffer<T> upload(device::Device& device, const std::vector<T>& values) {
  return {device, std::span<const T>(values)};
}

void draw_weights(const JudgeSet& judge, uint64_t seed, Resampling& out) {
  const FlatLists by_subject = flatten(groups_by_subject(judge));
  const auto start = upload(*out.device, by_subject.start);
  const auto group = upload(*out.device, by_subject.item);
  out.weight = {*out.device, static_cast<size_t>(judge.groups() * out.bootstrap)};
  out.device->draw_bootstrap({.groups = judge.groups(),
                              .subjects = judge.subjects,
                              .draws = out.bootstrap,
                              .seed = seed,
                              .start = start.data(),
                              .group = group.data(),
                              .weight = out.weight.data()});
}

void draw_labels(const JudgeSet& judge, const Lists& cells, uint64_t seed, Resampling& out) {
  const FlatLists flat = flatten(cells);
  const auto start = upload(*out.device, flat.start), member_start = upload(*out.device, judge.member_start);
  const auto group = upload(*out.device, flat.item);
  out.label = {*out.device, static_cast<size_t>(judge.n() * out.permutations)};
  out.group_label = {*out.device, static_cast<size_t>(judge.groups() * out.permutations)};
  out.device->draw_permutations({.n = judge.n(),
                                 .groups = judge.groups(),
                                 .cells = static_cast<int64_t>(cells.size()),
                                 .draws = out.permutations,
                                 .seed = seed,
                                 .start = start.data(),
                                 .group = group.data(),
                                 .member_start = member_start.data(),
                                 .member = out.member.data(),
                                 .subject = out.subject.data(),
                                 .group_subject = out.group_subject.data(),
                                 .label = out.label.data(),
                                 .group_label = out.group_label.data()});
}

/// The number of probes that a set fires on which fires everywhere.
std::vector<int32_t> resampled_sizes(const Resampling& resampling) {
  device::Resamples of = resampling.view();
  of.permutations = 0;
  device::Device& device = *resampling.device;
  const auto sum = upload(device, std::vector<double>(static_cast<size_t>(of.n), 1.0));
  const auto own = upload(device, std::vector<int32_t>{0});
  DrawsOnDevice<int32_t> fired(device, static_cast<size_t>(of.subjects), of);
  DrawsOnDevice<double> strength(device, 1, of);
  device.resample_counts({.of = of,
                          .sets = 1,
                          .own = own.data(),
                          .sum = sum.data(),
                          .fired = fired.view(),
                          .strength = strength.view()});
  return fired.download().bootstrap;
}

}  // namespace

device::Resamples Resampling::view() const {
  device::Resamples of = view_without_draws();
  of.bootstrap = bootstrap;
  of.permutations = permutations;
  return of;
}

device::Resamples Resampling::view_without_draws() const {
  return {.n = n(),
          .subjects = subjects,
          .subject = subject.data(),
          .group = group.data(),
          .group_subject = group_subject.data(),
          .weight = weight.data(),
          .label = label.data(),
          .group_label = group_label.data()};
}

Resampling make_resampling(device::Device& device, const JudgeSet& judge, const TrackOptions& options,
                           uint64_t seed) {
  if (options.bootstrap < 0 || options.permutations < 0)
    throw Error(Exit::usage, "track.bootstrap and track.permutations must not be negative; found " +
                                 std::to_string(options.bootstrap) + " and " +
                                 std::to_string(options.permutations));
  const Lists cells = exchangeable_cells(judge);
  Resampling out;
  out.device = &device;
  out.subjects = judge.subjects;
  out.bootstrap = options.bootstrap;
  out.permutations = options.permutations;
  out.exchangeable = exchangeable_share(judge, cells);
  out.subject = upload(device, judge.subject);
  out.group = upload(device, judge.group);
  out.member = upload(device, judge.member);
  out.group_subject = upload(device, judge.group_subject);
  draw_weights(judge, seed, out);
  draw_labels(judge, cells, seed, out);
  out.sizes = resampled_sizes(out);
  return out;
}

}  // namespace incipit::emergence
