// Causal attention over sequences of different lengths, in fp32: a block walks the keys up to the last one
// its last query sees.

#include <algorithm>
#include <cmath>

#include "attention_tile.cuh"
#include "cuda_device.hpp"
#include "device/attention.hpp"
#include "error.hpp"
#include "launch.cuh"

namespace incipit::device {
namespace {

using namespace cuda;
using namespace cuda::attention_tile;

template <int size, int rows_each>
__global__ void __launch_bounds__(tile_threads, Tile<size, rows_each>::blocks)
    attention_kernel(Attention<float> op, int tiles, bool whole_packs) {
  using Shape = Tile<size, rows_each>;
  // The last tiles of the longest sequences have the most keys: they begin first.
  const std::int64_t sequence = blockIdx.x % op.sequences;
  const int first = (tiles - 1 - static_cast<int>(blockIdx.x / op.sequences)) * Shape::queries;
  const int query_begin = op.query_starts[sequence];
  const int key_begin = op.key_starts[sequence];
  const int queries = op.query_starts[sequence + 1] - query_begin;
  if (first >= queries) return;
  const int rows = queries - first < Shape::queries ? queries - first : Shape::queries;
  // The first query of the tile sees the keys before this one, each later query one more.
  const int seen_first = op.key_starts[sequence + 1] - key_begin - queries + first + 1;
  const int keys = seen_first + rows - 1;
  const std::int64_t head = blockIdx.y;
  const int head_size = static_cast<int>(op.head_size);
  const int tx = static_cast<int>(threadIdx.x) % tile_side;
  const int ty = static_cast<int>(threadIdx.x) / tile_side;

  const Tiles<size, rows_each> shared;
  constexpr float log2_e = 1.44269504F;
  load_tile<size, Shape::queries>(shared.q, op.q + (head * op.query_rows + query_begin + first) * head_size,
                                  rows, head_size, whole_packs, op.scale * log2_e);
  Queries<size, rows_each> own;
  for (int key = 0; key < keys; key += tile_keys) {
    const std::int64_t from = (head * op.key_rows + key_begin + key) * head_size;
    load_tile<size, tile_keys>(shared.k, op.k + from, keys - key, head_size, whole_packs, 1.0F);
    load_tile<size, tile_keys>(shared.v, op.v + from, keys - key, head_size, whole_packs, 1.0F);
    __syncthreads();

    float scores[rows_each][keys_each];
    score<size, rows_each>(shared.q, shared.k, tx, ty, scores);
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int row = ty + tile_side * i;
      // Rows below the last query compute what nobody reads, from keys that exist.
      const int seen = (row < rows ? seen_first + row : keys) - key;
#pragma unroll
      for (int j = 0; j < keys_each; ++j) {
        if (tx + tile_side * j >= seen) scores[i][j] = -INFINITY;
      }
      own.weigh(i, scores[i], shared.weights, tx, ty);
    }
    // A query's weights stay within the half of a warp that has made them.
    __syncwarp();
    accumulate<size, rows_each>(shared.weights, shared.v, tx, ty, own.out);
    __syncthreads();
  }
  own.write(op.out + ((static_cast<std::int64_t>(query_begin) + first) * op.heads + head) * head_size,
            op.heads * head_size, rows, head_size, tx, ty);
}

template <int size, int rows_each>
void run(const Attention<float>& op, const Call& call) {
  using Shape = Tile<size, rows_each>;
  // No sequence has more queries than keys, or than there are queries.
  const std::int64_t tiles = divide_up(std::min(op.longest, op.query_rows), Shape::queries);
  launch(
      call,
      {.blocks = tiles * op.sequences, .threads = tile_threads, .across = op.heads, .shared = Shape::bytes},
      attention_kernel<size, rows_each>, op, static_cast<int>(tiles),
      packable<4>(op.head_size, op.q, op.k, op.v));
}

/// Small tiles where there are few queries each, as when only last tokens ask.
template <int size>
void run(const Attention<float>& op, const Call& call) {
  op.query_rows <= tile_side* op.sequences ? run<size, 1>(op, call) : run<size, 4>(op, call);
}

}  // namespace

void CudaDevice::attention(const Attention<float>& op) {
  const Call call = begin("attention", {op.sequences, op.heads, op.head_size, op.query_rows, op.key_rows});
  if (op.query_rows == 0) return;
  if (op.head_size <= 16) return run<16>(op, call);
  if (op.head_size <= 32) return run<32>(op, call);
  if (op.head_size <= 64) return run<64>(op, call);
  if (op.head_size <= 80) return run<80>(op, call);
  if (op.head_size <= 96) return run<96>(op, call);
  if (op.head_size <= 128) return run<128>(op, call);
  if (op.head_size <= 256) return run<256>(op, call);
  throw Error(Exit::defect, describe(call) + ": heads of at most 256 are supported");
}

}  // namespace incipit::device
