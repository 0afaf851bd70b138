// Bootstrap weights and permuted subjects, by the very generator that the host draws with: a thread to each
// draw, which is a stream of its own. Threads of a warp write neighbours.

#include "cuda_device.hpp"
#include "device/draw_resampling.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "random.hpp"

namespace incipit::device {
namespace {

using namespace cuda;

/// Draws are few and long: small blocks spread them over the processors.
constexpr int drawing_threads = 32;

__global__ void __launch_bounds__(drawing_threads) draw_bootstrap_kernel(DrawBootstrap op) {
  const std::int64_t b = static_cast<std::int64_t>(blockIdx.x) * drawing_threads + threadIdx.x;
  if (b >= op.draws) return;
  Random random(op.seed, Purpose::bootstrap, static_cast<std::uint64_t>(b));
  for (std::int64_t c = 0; c < op.subjects; ++c) {
    const std::int64_t begin = op.start[c];
    const std::int64_t count = op.start[c + 1] - begin;
    for (std::int64_t draw = 0; draw < count; ++draw) {
      const auto which = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
      op.weight[op.group[begin + which] * op.draws + b] += 1;
    }
  }
}

/// Group `to` gets the subjects of group `from`.
__device__ __forceinline__ void move_subjects(const DrawPermutations& op, std::int64_t p, std::int64_t to,
                                              std::int64_t from) {
  op.group_label[to * op.draws + p] = op.group_subject[from];
  const std::int64_t begin = op.member_start[to];
  const std::int64_t size = op.member_start[to + 1] - begin;
  const std::int64_t source = op.member_start[from];
  for (std::int64_t i = 0; i < size; ++i)
    op.label[op.member[begin + i] * op.draws + p] = op.subject[op.member[source + i]];
}

/// `order`: G×draws, of which a cell uses the rows of its groups; random.hpp's `permutation` in a thread.
__global__ void __launch_bounds__(drawing_threads)
    draw_permutations_kernel(DrawPermutations op, std::int32_t* order) {
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * drawing_threads + threadIdx.x;
  if (p >= op.draws) return;
  Random random(op.seed, Purpose::permutation, static_cast<std::uint64_t>(p));
  for (std::int64_t cell = 0; cell < op.cells; ++cell) {
    const std::int64_t begin = op.start[cell];
    const std::int64_t count = op.start[cell + 1] - begin;
    std::int32_t* mine = order + begin * op.draws + p;
    for (std::int64_t at = 0; at < count; ++at) mine[at * op.draws] = op.group[begin + at];
    for (std::int64_t left = count; left > 1; --left) {
      const auto which = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(left)));
      const std::int32_t chosen = mine[which * op.draws];
      mine[which * op.draws] = mine[(left - 1) * op.draws];
      mine[(left - 1) * op.draws] = chosen;
    }
    for (std::int64_t at = 0; at < count; ++at)
      move_subjects(op, p, op.group[begin + at], mine[at * op.draws]);
  }
}

}  // namespace

void CudaDevice::draw_bootstrap(const DrawBootstrap& op) {
  const Call call = begin("draw_bootstrap", {op.groups, op.draws});
  zero(op.weight, static_cast<std::size_t>(op.groups * op.draws) * sizeof(*op.weight));
  launch(call, {.blocks = divide_up(op.draws, drawing_threads), .threads = drawing_threads},
         draw_bootstrap_kernel, op);
}

void CudaDevice::draw_permutations(const DrawPermutations& op) {
  const Call call = begin("draw_permutations", {op.n, op.groups, op.draws});
  const Scratch<std::int32_t> order(*memory_, op.groups * op.draws, call);
  launch(call, {.blocks = divide_up(op.draws, drawing_threads), .threads = drawing_threads},
         draw_permutations_kernel, op, order.get());
}

}  // namespace incipit::device
