// Causal attention over sequences of different lengths, in fp32 with an online softmax: a block takes a tile
// of one sequence's queries at one head and walks the keys, of which it holds a tile in shared memory, up to
// the last one its last query sees. Scores never leave the block.

#include <algorithm>
#include <cmath>

#include "cuda_device.hpp"
#include "device/attention.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "shared.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int threads = 256;
/// Threads side by side: they share a query's keys, and then its columns.
constexpr int side = 16;
constexpr int tile_keys = 32;
constexpr int keys_each = tile_keys / side;
/// Keeps the rows of a tile in different banks, and their packs aligned.
constexpr int pad = 4;

/// Heads of `size` numbers, shorter ones filled up with zeros; each thread has `rows_each` queries.
template <int size, int rows_each>
struct Tile {
  static constexpr int queries = threads / side * rows_each;
  static constexpr int stride = size + pad;
  static constexpr int score_stride = tile_keys + pad;
  /// Columns of a query's output that a thread holds, as packs of neighbours.
  static constexpr int width = size % 64 == 0 ? 4 : (size % 32 == 0 ? 2 : 1);
  static constexpr int packs = size / side / width;

  static constexpr std::size_t q_bytes = std::size_t{queries} * stride * sizeof(float);
  static constexpr std::size_t k_bytes = std::size_t{tile_keys} * stride * sizeof(float);
  static constexpr std::size_t score_bytes = std::size_t{queries} * score_stride * sizeof(float);
  static constexpr std::size_t bytes = q_bytes + 2 * k_bytes + score_bytes;
  /// At once on a multiprocessor. Said aloud, since the compiler spills to make room for one more.
  static constexpr int blocks = size > 128 ? 1 : 2;
  /// Steps of the scores' loop that are under way together, as registers allow.
  static constexpr int unrolled = size < 128 ? 4 : 2;
};

/// The first `size` columns of `rows` rows into shared memory, times `factor`; zeros beyond what there is.
template <int size, int rows>
__device__ __forceinline__ void load_tile(Shared<float> to, const float* from, int available, int head_size,
                                          bool whole_packs, float factor) {
  constexpr int row_packs = size / 4;
  for (int i = static_cast<int>(threadIdx.x); i < rows * row_packs; i += threads) {
    const int row = i / row_packs;
    const int column = i % row_packs * 4;
    Pack<float, 4> x = {};
    if (row < available && column < head_size) {
      const float* place = from + static_cast<std::int64_t>(row) * head_size + column;
      if (whole_packs) {
        x = load<4>(place, 0);
      } else {
        for (int u = 0; u < 4; ++u) x.value[u] = column + u < head_size ? place[u] : 0.0F;
      }
    }
    for (int u = 0; u < 4; ++u) x.value[u] *= factor;
    store(to, row * (size + pad) + column, x);
  }
}

/// The largest and the sum over the threads that share a query.
__device__ __forceinline__ float side_max(float x) {
  for (int bits = side / 2; bits > 0; bits /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffU, x, bits));
  return x;
}
__device__ __forceinline__ float side_sum(float x) {
  for (int bits = side / 2; bits > 0; bits /= 2) x += __shfl_xor_sync(0xffffffffU, x, bits);
  return x;
}

/// Products of a thread's queries with its keys of the tile.
template <int size, int rows_each>
__device__ __forceinline__ void score(Shared<float> q, Shared<float> k, int tx, int ty,
                                      float (&scores)[rows_each][keys_each]) {
  using Shape = Tile<size, rows_each>;
#pragma unroll
  for (int i = 0; i < rows_each; ++i) {
#pragma unroll
    for (int j = 0; j < keys_each; ++j) scores[i][j] = 0;
  }
#pragma unroll Shape::unrolled
  for (int c = 0; c < size; c += 4) {
    Pack<float, 4> keys[keys_each];
#pragma unroll
    for (int j = 0; j < keys_each; ++j) keys[j] = load<4>(k, (tx + side * j) * Shape::stride + c);
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const Pack<float, 4> query = load<4>(q, (ty + side * i) * Shape::stride + c);
#pragma unroll
      for (int j = 0; j < keys_each; ++j) {
        for (int u = 0; u < 4; ++u) scores[i][j] += query.value[u] * keys[j].value[u];
      }
    }
  }
}

/// sums += weights · v over the tile's keys.
template <int size, int rows_each>
__device__ __forceinline__ void accumulate(
    Shared<float> weights, Shared<float> v, int tx, int ty,
    Pack<float, Tile<size, rows_each>::width> (&sums)[rows_each][Tile<size, rows_each>::packs]) {
  using Shape = Tile<size, rows_each>;
#pragma unroll 2
  for (int key = 0; key < tile_keys; key += 4) {
    Pack<float, 4> weight[rows_each];
#pragma unroll
    for (int i = 0; i < rows_each; ++i)
      weight[i] = load<4>(weights, (ty + side * i) * Shape::score_stride + key);
#pragma unroll
    for (int u = 0; u < 4; ++u) {
#pragma unroll
      for (int p = 0; p < Shape::packs; ++p) {
        const Pack<float, Shape::width> value =
            load<Shape::width>(v, (key + u) * Shape::stride + (p * side + tx) * Shape::width);
#pragma unroll
        for (int i = 0; i < rows_each; ++i) {
          for (int w = 0; w < Shape::width; ++w) sums[i][p].value[w] += weight[i].value[u] * value.value[w];
        }
      }
    }
  }
}

template <int size, int rows_each>
__global__ void __launch_bounds__(threads, Tile<size, rows_each>::blocks)
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
  const int tx = static_cast<int>(threadIdx.x) % side;
  const int ty = static_cast<int>(threadIdx.x) / side;

  const Shared<float> q = dynamic_shared<float>(0, Shape::q_bytes / sizeof(float));
  const Shared<float> k = dynamic_shared<float>(Shape::q_bytes, Shape::k_bytes / sizeof(float));
  const Shared<float> v =
      dynamic_shared<float>(Shape::q_bytes + Shape::k_bytes, Shape::k_bytes / sizeof(float));
  const Shared<float> weights =
      dynamic_shared<float>(Shape::q_bytes + 2 * Shape::k_bytes, Shape::score_bytes / sizeof(float));

  constexpr float log2_e = 1.44269504F;
  load_tile<size, Shape::queries>(q, op.q + (head * op.query_rows + query_begin + first) * head_size, rows,
                                  head_size, whole_packs, op.scale * log2_e);
  float most[rows_each];
  float sum[rows_each];
  Pack<float, Shape::width> out[rows_each][Shape::packs] = {};
#pragma unroll
  for (int i = 0; i < rows_each; ++i) {
    most[i] = -INFINITY;
    sum[i] = 0;
  }

  for (int key = 0; key < keys; key += tile_keys) {
    const std::int64_t from = (head * op.key_rows + key_begin + key) * head_size;
    load_tile<size, tile_keys>(k, op.k + from, keys - key, head_size, whole_packs, 1.0F);
    load_tile<size, tile_keys>(v, op.v + from, keys - key, head_size, whole_packs, 1.0F);
    __syncthreads();

    float scores[rows_each][keys_each];
    score<size, rows_each>(q, k, tx, ty, scores);
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int row = ty + side * i;
      // Rows below the last query compute what nobody reads, from keys that exist.
      const int seen = (row < rows ? seen_first + row : keys) - key;
      float tile_most = most[i];
#pragma unroll
      for (int j = 0; j < keys_each; ++j) {
        if (tx + side * j >= seen) scores[i][j] = -INFINITY;
        tile_most = fmaxf(tile_most, scores[i][j]);
      }
      tile_most = side_max(tile_most);
      const float shrink = exp2f(most[i] - tile_most);
      most[i] = tile_most;
      sum[i] *= shrink;
#pragma unroll
      for (int j = 0; j < keys_each; ++j) {
        const float weight = exp2f(scores[i][j] - tile_most);
        sum[i] += weight;
        weights[row * Shape::score_stride + tx + side * j] = weight;
      }
#pragma unroll
      for (int p = 0; p < Shape::packs; ++p) {
        for (int w = 0; w < Shape::width; ++w) out[i][p].value[w] *= shrink;
      }
    }
    // A query's weights stay within the half of a warp that has made them.
    __syncwarp();
    accumulate<size, rows_each>(weights, v, tx, ty, out);
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < rows_each; ++i) {
    const float inverse = 1.0F / side_sum(sum[i]);
    const int row = ty + side * i;
    if (row >= rows) continue;
    float* place =
        op.out + ((static_cast<std::int64_t>(query_begin) + first + row) * op.heads + head) * head_size;
#pragma unroll
    for (int p = 0; p < Shape::packs; ++p) {
      for (int w = 0; w < Shape::width; ++w) {
        const int column = (p * side + tx) * Shape::width + w;
        if (column < head_size) place[column] = out[i][p].value[w] * inverse;
      }
    }
  }
}

template <int size, int rows_each>
void run(const Attention<float>& op, const Call& call) {
  using Shape = Tile<size, rows_each>;
  // No sequence has more queries than keys, or than there are queries.
  const std::int64_t tiles = divide_up(std::min(op.longest, op.query_rows), Shape::queries);
  launch(call,
         {.blocks = tiles * op.sequences, .threads = threads, .across = op.heads, .shared = Shape::bytes},
         attention_kernel<size, rows_each>, op, static_cast<int>(tiles),
         packable<4>(op.head_size, op.q, op.k, op.v));
}

/// Small tiles where there are few queries each, as when only last tokens ask.
template <int size>
void run(const Attention<float>& op, const Call& call) {
  op.query_rows <= side* op.sequences ? run<size, 1>(op, call) : run<size, 4>(op, call);
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
