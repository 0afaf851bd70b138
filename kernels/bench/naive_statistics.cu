// What is counted and drawn for the statistics, naively.

#include <cmath>

#include "naive.cuh"
#include "naive.hpp"
#include "random.hpp"

namespace incipit::device::bench::naive {
namespace {

using cuda::Call;
using cuda::launch;

template <class T>
void clear(const Call& call, T* data, std::int64_t n) {
  cuda::check(cudaMemsetAsync(data, 0, static_cast<std::size_t>(n) * sizeof(T), call.stream), call);
}

/// A thread per probe.
__global__ void histogram_kernel(LatentHistogram op) {
  const std::int64_t i = my_number();
  if (i >= op.n) return;
  bool fires = false;
  for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place) {
    if (!(op.value[place] > 0)) continue;
    fires = true;
    atomicAdd(op.count + op.index[place] * op.subjects + op.subject[i], 1);
  }
  if (!fires) atomicAdd(op.silent, 1);
}

/// A thread per set and probe looks each kept latent up in the set.
__global__ void activation_sum_kernel(ActivationSum op) {
  const std::int64_t set = my_number() / op.n;
  const std::int64_t i = my_number() % op.n;
  if (set >= op.sets) return;
  double sum = 0;
  for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place) {
    if (!(op.value[place] > 0)) continue;
    const std::int32_t j = op.index[place];
    for (std::int64_t at = op.start[j]; at < op.start[j + 1]; ++at)
      if (op.set[at] == set) sum += static_cast<double>(op.value[place]);
  }
  op.sum[set * op.n + i] = sum;
}

__global__ void set_maximum_kernel(SetMaximum op) {
  const std::int64_t set = my_number() / op.rows;
  const std::int64_t i = my_number() % op.rows;
  if (set >= op.sets) return;
  float largest = -INFINITY;
  for (std::int64_t at = op.start[set]; at < op.start[set + 1]; ++at)
    largest = fmaxf(largest, op.z[i * op.h + op.latent[at]]);
  op.out[set * op.stride + i] = largest;
}

/// A thread per latent looks through all codes.
__global__ void count_latent_kernel(LatentGroups op) {
  const std::int64_t latent = my_number();
  if (latent >= op.h) return;
  std::int32_t count = 0;
  for (std::int64_t place = 0; place < op.n * op.keep; ++place)
    count += op.index[place] == latent && op.value[place] > 0 ? 1 : 0;
  op.start[latent + 1] = count;
}

__global__ void add_counts_kernel(LatentGroups op) {
  if (my_number() > 0) return;
  op.start[0] = 0;
  for (std::int64_t latent = 0; latent < op.h; ++latent) op.start[latent + 1] += op.start[latent];
}

__global__ void list_groups_kernel(LatentGroups op) {
  const std::int64_t latent = my_number();
  if (latent >= op.h) return;
  std::int32_t* next = op.list + op.start[latent];
  for (std::int64_t at = 0; at < op.n; ++at) {
    const std::int64_t i = op.member[at];
    for (std::int64_t place = i * op.keep; place < (i + 1) * op.keep; ++place)
      if (op.index[place] == latent && op.value[place] > 0) *next++ = op.group[i];
  }
}

/// A thread per draw, as in the next.
__global__ void bootstrap_kernel(DrawBootstrap op) {
  const std::int64_t b = my_number();
  if (b >= op.draws) return;
  Random random(op.seed, Purpose::bootstrap, static_cast<std::uint64_t>(b));
  for (std::int64_t c = 0; c < op.subjects; ++c) {
    const std::int64_t count = op.start[c + 1] - op.start[c];
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint64_t which = random.below(static_cast<std::uint64_t>(count));
      ++op.weight[op.group[op.start[c] + static_cast<std::int64_t>(which)] * op.draws + b];
    }
  }
}

/// `order`: draws×G.
__global__ void permutation_kernel(DrawPermutations op, std::int32_t* order) {
  const std::int64_t p = my_number();
  if (p >= op.draws) return;
  std::int32_t* mine = order + p * op.groups;
  Random random(op.seed, Purpose::permutation, static_cast<std::uint64_t>(p));
  for (std::int64_t at = 0; at < op.groups; ++at) mine[at] = op.group[at];
  for (std::int64_t cell = 0; cell < op.cells; ++cell) {
    std::int32_t* first = mine + op.start[cell];
    for (std::int64_t left = op.start[cell + 1] - op.start[cell]; left > 1; --left) {
      const auto which = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(left)));
      const std::int32_t chosen = first[which];
      first[which] = first[left - 1];
      first[left - 1] = chosen;
    }
  }
  for (std::int64_t at = 0; at < op.groups; ++at) {
    const std::int32_t to = op.group[at];
    const std::int32_t from = mine[at];
    op.group_label[to * op.draws + p] = op.group_subject[from];
    for (std::int64_t i = 0; i < op.member_start[to + 1] - op.member_start[to]; ++i) {
      const std::int32_t source = op.member[op.member_start[from] + i];
      op.label[op.member[op.member_start[to] + i] * op.draws + p] = op.subject[source];
    }
  }
}

// Draw 0 is what is, then come the resamples and the permutations.

std::int64_t all_draws(const Resamples& of) {
  return 1 + of.bootstrap + of.permutations;
}
__device__ bool is_resample(const Resamples& of, std::int64_t draw) {
  return draw > 0 && draw <= of.bootstrap;
}
__device__ std::int32_t group_weight_in(const Resamples& of, std::int64_t draw, std::int64_t g) {
  return is_resample(of, draw) ? of.weight[g * of.bootstrap + draw - 1] : 1;
}
__device__ std::int32_t weight_in(const Resamples& of, std::int64_t draw, std::int64_t i) {
  return group_weight_in(of, draw, of.group[i]);
}
__device__ std::int32_t subject_in(const Resamples& of, std::int64_t draw, std::int64_t i) {
  return draw <= of.bootstrap ? of.subject[i] : of.label[i * of.permutations + draw - 1 - of.bootstrap];
}
__device__ std::int32_t group_subject_in(const Resamples& of, std::int64_t draw, std::int64_t g) {
  return draw <= of.bootstrap ? of.group_subject[g]
                              : of.group_label[g * of.permutations + draw - 1 - of.bootstrap];
}
template <class T>
__device__ T& result_in(const Resampled<T>& out, const Resamples& of, std::int64_t draw, std::int64_t row) {
  if (draw == 0) return out.value[row];
  if (draw <= of.bootstrap) return out.bootstrap[row * of.bootstrap + draw - 1];
  return out.permutation[row * of.permutations + draw - 1 - of.bootstrap];
}

/// A thread per set, subject and draw.
__global__ void resampled_counts_kernel(ResampleCounts op, std::int64_t draws) {
  const Resamples& of = op.of;
  const std::int64_t draw = my_number() % draws;
  const std::int64_t subject = my_number() / draws % of.subjects;
  const std::int64_t set = my_number() / draws / of.subjects;
  if (set >= op.sets) return;
  std::int32_t count = 0;
  double sum = 0;
  for (std::int64_t i = 0; i < of.n; ++i) {
    const double a = op.sum[set * of.n + i];
    if (!(a > 0) || subject_in(of, draw, i) != subject) continue;
    const std::int32_t weight = weight_in(of, draw, i);
    count += weight;
    sum += weight * a;
  }
  result_in(op.fired, of, draw, set * of.subjects + subject) = count;
  if (subject == op.own[set]) result_in(op.strength, of, draw, set) = sum;
}

/// A thread per set and draw, as in the last.
__global__ void resampled_latents_kernel(ResampleLatents op, std::int64_t draws) {
  const Resamples& of = op.of;
  const std::int64_t draw = my_number() % draws;
  const std::int64_t set = my_number() / draws;
  if (set >= op.sets) return;
  const std::int32_t own = op.own[set];
  double total = 0;
  for (std::int64_t at = op.start[set]; at < op.start[set + 1]; ++at) {
    const std::int32_t latent = op.latent[at];
    const std::int32_t begin = op.group_start[latent];
    std::int64_t fired = 0;
    for (std::int32_t place = begin; place < op.group_start[latent + 1]; ++place) {
      const std::int32_t g = op.group_list[place];
      if (place > begin && g == op.group_list[place - 1]) continue;
      if (group_subject_in(of, draw, g) == own) fired += group_weight_in(of, draw, g);
    }
    total += op.chance[own * op.chances + fired];
  }
  result_in(op.total, of, draw, set) = total;
}

/// A probe's place is the number of those before it.
template <class T>
__global__ void rank_kernel(RankScores<T> op) {
  const std::int64_t set = my_number() / op.n;
  const std::int64_t i = my_number() % op.n;
  if (set >= op.sets) return;
  const T* score = op.score + set * op.n;
  std::int64_t before = 0;
  bool last = true;
  for (std::int64_t j = 0; j < op.n; ++j) {
    const bool equal = score[j] == score[i];
    before += score[j] < score[i] || (equal && j < i) ? 1 : 0;
    if (equal && j > i) last = false;
  }
  op.order[set * op.n + before] = static_cast<std::int32_t>(i);
  op.last[set * op.n + before] = last ? 1 : 0;
}

__global__ void resampled_area_kernel(ResampleAuc op, std::int64_t draws) {
  const Resamples& of = op.of;
  const std::int64_t draw = my_number() % draws;
  const std::int64_t set = my_number() / draws;
  if (set >= op.sets) return;
  std::int64_t positive = 0, negative = 0, twice = 0;
  std::int64_t tied_positive = 0, tied_negative = 0;
  for (std::int64_t at = set * of.n; at < (set + 1) * of.n; ++at) {
    const std::int64_t i = op.order[at];
    const bool own = subject_in(of, draw, i) == op.own[set];
    (own ? tied_positive : tied_negative) += weight_in(of, draw, i);
    if (op.last[at] == 0) continue;
    twice += tied_positive * (2 * negative + tied_negative);
    positive += tied_positive;
    negative += tied_negative;
    tied_positive = 0;
    tied_negative = 0;
  }
  result_in(op.area, of, draw, set) =
      static_cast<double>(twice) / (2 * static_cast<double>(positive) * static_cast<double>(negative));
}

}  // namespace

void run(const Call& call, const LatentHistogram& op) {
  clear(call, op.count, op.h * op.subjects);
  clear(call, op.silent, 1);
  launch(call, one_each(op.n), histogram_kernel, op);
}

void run(const Call& call, const ActivationSum& op) {
  launch(call, one_each(op.sets * op.n), activation_sum_kernel, op);
}
void run(const Call& call, const SetMaximum& op) {
  launch(call, one_each(op.sets * op.rows), set_maximum_kernel, op);
}

void run(const Call& call, const LatentGroups& op) {
  launch(call, one_each(op.h), count_latent_kernel, op);
  launch(call, one_each(1), add_counts_kernel, op);
  launch(call, one_each(op.h), list_groups_kernel, op);
}

void run(const Call& call, const DrawBootstrap& op) {
  clear(call, op.weight, op.groups * op.draws);
  launch(call, one_each(op.draws), bootstrap_kernel, op);
}

void run(const Call& call, const DrawPermutations& op) {
  const Temporary<std::int32_t> order(call, op.groups * op.draws);
  launch(call, one_each(op.draws), permutation_kernel, op, order.get());
}

void run(const Call& call, const ResampleCounts& op) {
  const std::int64_t draws = all_draws(op.of);
  launch(call, one_each(op.sets * op.of.subjects * draws), resampled_counts_kernel, op, draws);
}
void run(const Call& call, const ResampleLatents& op) {
  const std::int64_t draws = all_draws(op.of);
  launch(call, one_each(op.sets * draws), resampled_latents_kernel, op, draws);
}

template <class T>
void run(const Call& call, const RankScores<T>& op) {
  launch(call, one_each(op.sets * op.n), rank_kernel<T>, op);
}
template void run<float>(const Call&, const RankScores<float>&);
template void run<double>(const Call&, const RankScores<double>&);

void run(const Call& call, const ResampleAuc& op) {
  const std::int64_t draws = all_draws(op.of);
  launch(call, one_each(op.sets * draws), resampled_area_kernel, op, draws);
}

}  // namespace incipit::device::bench::naive
