#include "device/draw_resampling.hpp"

#include <algorithm>

#include "device/host/host_device.hpp"
#include "random.hpp"

namespace incipit::device {
namespace {

void draw_groups(const DrawBootstrap& op, std::int64_t b) {
  Random random(op.seed, Purpose::bootstrap, static_cast<std::uint64_t>(b));
  for (std::int64_t c = 0; c < op.subjects; ++c) {
    const std::int32_t* groups = op.group + op.start[c];
    const std::int64_t count = op.start[c + 1] - op.start[c];
    for (std::int64_t draw = 0; draw < count; ++draw)
      ++op.weight[groups[random.below(static_cast<std::uint64_t>(count))] * op.draws + b];
  }
}

/// Group `to` gets the subjects of group `from`.
void move_subjects(const DrawPermutations& op, std::int64_t p, std::int32_t to, std::int32_t from) {
  op.group_label[to * op.draws + p] = op.group_subject[from];
  const std::int64_t size = op.member_start[to + 1] - op.member_start[to];
  const std::int32_t* probe = op.member + op.member_start[to];
  const std::int32_t* source = op.member + op.member_start[from];
  for (std::int64_t i = 0; i < size; ++i) op.label[probe[i] * op.draws + p] = op.subject[source[i]];
}

void permute_subjects(const DrawPermutations& op, std::int64_t p) {
  Random random(op.seed, Purpose::permutation, static_cast<std::uint64_t>(p));
  for (std::int64_t cell = 0; cell < op.cells; ++cell) {
    const std::int32_t* groups = op.group + op.start[cell];
    const auto order = permutation(op.start[cell + 1] - op.start[cell], random);
    for (std::size_t at = 0; at < order.size(); ++at) move_subjects(op, p, groups[at], groups[order[at]]);
  }
}

}  // namespace

void HostDevice::draw_bootstrap(const DrawBootstrap& op) {
  std::fill_n(op.weight, op.groups * op.draws, 0);
  // A draw writes its own column only.
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t b = 0; b < op.draws; ++b) draw_groups(op, b);
}

void HostDevice::draw_permutations(const DrawPermutations& op) {
#pragma omp parallel for schedule(static) num_threads(threads_)
  for (std::int64_t p = 0; p < op.draws; ++p) permute_subjects(op, p);
}

}  // namespace incipit::device
