// Gradients of a batch as sorted-segment sums: the firing pairs (row, place) are sorted by latent, then row,
// and each latent's sum is taken in that order, a thread to a few columns. No atomics. Latents and rows of
// all problems are numbered through, so that they are sorted at once.

#include <algorithm>
#include <limits>

#include "column_sum.cuh"
#include "cuda_device.hpp"
#include "device/sae_gradient.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "pack.cuh"
#include "reduce.cuh"
#include "segments.cuh"
#include "sort_pairs.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int gradient_threads = 256;

/// Pairs that do not fire get a key behind all latents.
template <class T>
__global__ void __launch_bounds__(gradient_threads) number_pairs_kernel(SaeGradient<T> op, Pairs pairs) {
  const std::int64_t pair = static_cast<std::int64_t>(blockIdx.x) * gradient_threads + threadIdx.x;
  if (pair >= op.problems * op.n * op.keep) return;
  const std::int64_t problem = pair / (op.n * op.keep);
  pairs.key[pair] =
      static_cast<std::int32_t>(op.value[pair] > 0 ? problem * op.h + op.index[pair] : op.problems * op.h);
  pairs.item[pair] = static_cast<std::int32_t>(pair);
}

/// sum += factor · row[column …]
template <class T, int width>
__device__ __forceinline__ void add(Pack<T, width>& sum, T factor, const T* rows, std::int64_t i) {
  const Pack<T, width> x = load<width>(rows, i);
  for (int u = 0; u < width; ++u) sum.value[u] += factor * x.value[u];
}

constexpr int column_lanes = 128;

/// One latent and a range of columns.
template <class T, int width>
__global__ void __launch_bounds__(column_lanes)
    sum_latent_kernel(SaeGradient<T> op, const std::int32_t* start, const std::int32_t* items) {
  const std::int64_t latent = blockIdx.x;
  const std::int64_t column = (static_cast<std::int64_t>(blockIdx.y) * column_lanes + threadIdx.x) * width;
  if (column >= op.d) return;
  const int keep = static_cast<int>(op.keep);
  Pack<T, width> encoder = {};
  Pack<T, width> decoder = {};
#pragma unroll 4
  for (int p = start[latent]; p < start[latent + 1]; ++p) {
    const int pair = items[p];
    const std::int64_t i = pair / keep * op.d + column;
    const T pull = -2 * op.value[pair];
    add<T, width>(encoder, op.slope[pair], op.x, i);
    add<T, width>(decoder, op.weight_multi * pull, op.residual_multi, i);
    if (pair % keep < op.k) add<T, width>(decoder, op.weight * pull, op.residual, i);
  }
  store(op.encoder, latent * op.d + column, encoder);
  store(op.decoder, latent * op.d + column, decoder);
}

/// A warp for each latent.
template <class T>
__global__ void __launch_bounds__(gradient_threads)
    sum_bias_kernel(SaeGradient<T> op, const std::int32_t* start, const std::int32_t* items) {
  const std::int64_t latent =
      static_cast<std::int64_t>(blockIdx.x) * (gradient_threads / warp_lanes) + threadIdx.x / warp_lanes;
  if (latent >= op.problems * op.h) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  double sum = 0;
  for (int p = start[latent] + lane; p < start[latent + 1]; p += warp_lanes)
    sum += static_cast<double>(op.slope[items[p]]);
  sum = warp_sum(sum);
  if (lane == 0) op.encoder_bias[latent] = static_cast<T>(sum);
}

template <int width, class T>
void sum_latents(const SaeGradient<T>& op, const std::int32_t* start, const std::int32_t* items,
                 const Call& call) {
  launch(call,
         {.blocks = op.problems * op.h,
          .threads = column_lanes,
          .across = divide_up(op.d, column_lanes * width)},
         sum_latent_kernel<T, width>, op, start, items);
}

template <class T>
void run(const SaeGradient<T>& op, Memory& memory, const Call& call) {
  const std::int64_t all = op.problems * op.n * op.keep;
  const std::int64_t latents = op.problems * op.h;
  if (all > std::numeric_limits<std::int32_t>::max() || latents >= std::numeric_limits<std::int32_t>::max()) {
    throw Error(Exit::defect, describe(call) + " (problems, n, d, h, keep): more pairs than can be numbered");
  }
  const Scratch<std::int32_t> numbers(memory, 4 * all, call);
  const Scratch<std::int32_t> start(memory, latents + 1, call);
  const Pairs pairs{numbers.get(), numbers.get() + all};
  const Pairs spare{numbers.get() + 2 * all, numbers.get() + 3 * all};
  launch(call, {.blocks = divide_up(all, gradient_threads), .threads = gradient_threads},
         number_pairs_kernel<T>, op, pairs);
  const Pairs sorted = sort_pairs(pairs, spare, all, latents + 1, memory, call);
  segment_starts(sorted.key, all, latents, start.get(), call);

  if (packable<widest<T>>(op.d, op.x, op.residual, op.residual_multi, op.encoder, op.decoder)) {
    sum_latents<widest<T>>(op, start.get(), sorted.item, call);
  } else {
    sum_latents<1>(op, start.get(), sorted.item, call);
  }
  launch(call, {.blocks = divide_up(latents, gradient_threads / warp_lanes), .threads = gradient_threads},
         sum_bias_kernel<T>, op, start.get(), sorted.item);
  const ColumnTerm<T> terms[] = {
      {.rows = op.n, .factor = -2 * op.weight, .matrix = op.residual},
      {.rows = op.n, .factor = -2 * op.weight_multi, .matrix = op.residual_multi},
      {.rows = op.h, .factor = -1, .matrix = op.weights, .coefficient = op.encoder_bias}};
  sum_columns(terms, op.problems, op.d, false, op.pre_bias, memory, call);
}

}  // namespace

void CudaDevice::sae_gradient(const SaeGradient<float>& op) {
  run(op, *memory_, begin("sae_gradient", {op.problems, op.n, op.d, op.h, op.keep}));
}
void CudaDevice::sae_gradient(const SaeGradient<double>& op) {
  run(op, *memory_, begin("sae_gradient (fp64)", {op.problems, op.n, op.d, op.h, op.keep}));
}

}  // namespace incipit::device
