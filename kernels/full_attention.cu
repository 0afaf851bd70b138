// Attention of every token to its whole sequence, in fp32, with a bias by the distance of the two: a block
// walks all keys of the sequence.

#include <algorithm>
#include <cmath>

#include "attention_tile.cuh"
#include "cuda_device.hpp"
#include "device/full_attention.hpp"
#include "error.hpp"
#include "launch.cuh"

namespace incipit::device {
namespace {

using namespace cuda;
using namespace cuda::attention_tile;

template <int size, int rows_each>
__global__ void __launch_bounds__(tile_threads, Tile<size, rows_each>::blocks)
    full_attention_kernel(FullAttention op, bool whole_packs) {
  using Shape = Tile<size, rows_each>;
  const std::int64_t sequence = blockIdx.x % op.sequences;
  const int first = static_cast<int>(blockIdx.x / op.sequences) * Shape::queries;
  const int begin = op.starts[sequence];
  const int keys = op.starts[sequence + 1] - begin;
  if (first >= keys) return;
  const int rows = keys - first < Shape::queries ? keys - first : Shape::queries;
  const std::int64_t head = blockIdx.y;
  const int head_size = static_cast<int>(op.head_size);
  const int tx = static_cast<int>(threadIdx.x) % tile_side;
  const int ty = static_cast<int>(threadIdx.x) / tile_side;

  const Tiles<size, rows_each> shared;
  constexpr float log2_e = 1.44269504F;
  const std::int64_t sequence_begin = (head * op.rows + begin) * head_size;
  load_tile<size, Shape::queries>(shared.q,
                                  op.q + sequence_begin + static_cast<std::int64_t>(first) * head_size, rows,
                                  head_size, whole_packs, op.scale * log2_e);
  // From the tile's first query to the sequence's first key.
  const float* bias =
      op.bias == nullptr ? nullptr : op.bias + head * (2 * op.reach - 1) + op.reach - 1 - first;
  Queries<size, rows_each> own;
  for (int key = 0; key < keys; key += tile_keys) {
    const std::int64_t from = sequence_begin + static_cast<std::int64_t>(key) * head_size;
    load_tile<size, tile_keys>(shared.k, op.k + from, keys - key, head_size, whole_packs, 1.0F);
    load_tile<size, tile_keys>(shared.v, op.v + from, keys - key, head_size, whole_packs, 1.0F);
    __syncthreads();

    float scores[rows_each][keys_each];
    score<size, rows_each>(shared.q, shared.k, tx, ty, scores);
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int row = ty + tile_side * i;
#pragma unroll
      for (int j = 0; j < keys_each; ++j) {
        const int column = key + tx + tile_side * j;
        if (column >= keys) {
          scores[i][j] = -INFINITY;
        } else if (bias != nullptr && row < rows) {
          scores[i][j] += log2_e * bias[column - row];
        }
      }
      own.weigh(i, scores[i], shared.weights, tx, ty);
    }
    // A query's weights stay within the half of a warp that has made them.
    __syncwarp();
    accumulate<size, rows_each>(shared.weights, shared.v, tx, ty, own.out);
    __syncthreads();
  }
  own.write(op.out + ((static_cast<std::int64_t>(begin) + first) * op.heads + head) * head_size,
            op.heads * head_size, rows, head_size, tx, ty);
}

template <int size, int rows_each>
void run(const FullAttention& op, const Call& call) {
  using Shape = Tile<size, rows_each>;
  launch(call,
         {.blocks = divide_up(op.longest, Shape::queries) * op.sequences,
          .threads = tile_threads,
          .across = op.heads,
          .shared = Shape::bytes},
         full_attention_kernel<size, rows_each>, op, packable<4>(op.head_size, op.q, op.k, op.v));
}

/// Small tiles where sequences are short, as labels are.
template <int size>
void run(const FullAttention& op, const Call& call) {
  op.rows <= tile_side* op.sequences ? run<size, 1>(op, call) : run<size, 4>(op, call);
}

}  // namespace

void CudaDevice::full_attention(const FullAttention& op) {
  const Call call = begin("full_attention", {op.sequences, op.heads, op.head_size, op.rows, op.longest});
  if (op.rows == 0) return;
  if (op.head_size <= 32) return run<32>(op, call);
  if (op.head_size <= 64) return run<64>(op, call);
  if (op.head_size <= 128) return run<128>(op, call);
  if (op.head_size <= 256) return run<256>(op, call);
  throw Error(Exit::defect, describe(call) + ": heads of at most 256 are supported");
}

}  // namespace incipit::device
