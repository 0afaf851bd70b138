// Probes by ascending score: a stable sort by the bits of the scores, 32 at a time, least significant first.

#include <climits>
#include <limits>

#include "cuda_device.hpp"
#include "device/rank_scores.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "select.cuh"
#include "sort_pairs.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int rank_threads = 256;

__global__ void __launch_bounds__(rank_threads) number_probes_kernel(std::int32_t* item, std::int64_t n) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * rank_threads + threadIdx.x;
  if (i < n) item[i] = static_cast<std::int32_t>(i);
}

/// One word of the key of each item's score.
template <class T>
__global__ void __launch_bounds__(rank_threads)
    key_word_kernel(const T* score, std::int64_t n, int shift, Pairs pairs) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * rank_threads + threadIdx.x;
  if (at >= n) return;
  pairs.key[at] = static_cast<std::int32_t>(key_of(score[pairs.item[at]]) >> static_cast<unsigned>(shift));
}

template <class T>
__global__ void __launch_bounds__(rank_threads)
    write_ranks_kernel(const T* score, std::int64_t n, const std::int32_t* item, std::int32_t* order,
                       std::int32_t* last) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * rank_threads + threadIdx.x;
  if (at >= n) return;
  order[at] = item[at];
  last[at] = at + 1 == n || score[item[at]] < score[item[at + 1]] ? 1 : 0;
}

template <class T>
void run(const RankScores<T>& op, Memory& memory, const Call& call) {
  constexpr std::int64_t words = std::int64_t{1} << 32;
  if (op.n > std::numeric_limits<std::int32_t>::max())
    throw Error(Exit::defect, describe(call) + " (n, sets): more probes than can be numbered");
  const Scratch<std::int32_t> numbers(memory, 4 * op.n, call);
  const Grid grid{.blocks = divide_up(op.n, rank_threads), .threads = rank_threads};
  for (std::int64_t set = 0; set < op.sets; ++set) {
    const T* score = op.score + set * op.n;
    Pairs pairs{numbers.get(), numbers.get() + op.n};
    Pairs spare{numbers.get() + 2 * op.n, numbers.get() + 3 * op.n};
    launch(call, grid, number_probes_kernel, pairs.item, op.n);
    for (int shift = 0; shift < static_cast<int>(sizeof(T)) * CHAR_BIT; shift += 32) {
      launch(call, grid, key_word_kernel<T>, score, op.n, shift, pairs);
      // Four passes of eight bits: the pairs end where they began.
      pairs = sort_pairs(pairs, spare, op.n, words, memory, call);
    }
    launch(call, grid, write_ranks_kernel<T>, score, op.n, pairs.item, op.order + set * op.n,
           op.last + set * op.n);
  }
}

}  // namespace

void CudaDevice::rank_scores(const RankScores<float>& op) {
  run(op, *memory_, begin("rank_scores", {op.n, op.sets}));
}
void CudaDevice::rank_scores(const RankScores<double>& op) {
  run(op, *memory_, begin("rank_scores (fp64)", {op.n, op.sets}));
}

}  // namespace incipit::device
