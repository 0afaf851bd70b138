#pragma once

#include <cmath>
#include <cstdint>

#include "pack.cuh"
#include "shared.cuh"

/// What attention in fp32 is made of: a block takes a tile of one sequence's queries at one head and walks
/// the keys, of which it holds a tile in shared memory, with an online softmax. Scores never leave the block.
namespace incipit::device::cuda::attention_tile {

inline constexpr int tile_threads = 256;
/// Threads side by side: they share a query's keys, and then its columns.
inline constexpr int tile_side = 16;
inline constexpr int tile_keys = 32;
inline constexpr int keys_each = tile_keys / tile_side;
/// Keeps the rows of a tile in different banks, and their packs aligned.
inline constexpr int pad = 4;

/// Heads of `size` numbers, shorter ones filled up with zeros; each thread has `rows_each` queries.
template <int size, int rows_each>
struct Tile {
  static constexpr int queries = tile_threads / tile_side * rows_each;
  static constexpr int stride = size + pad;
  static constexpr int score_stride = tile_keys + pad;
  /// Columns of a query's output that a thread holds, as packs of neighbours.
  static constexpr int width = size % 64 == 0 ? 4 : (size % 32 == 0 ? 2 : 1);
  static constexpr int packs = size / tile_side / width;

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
  for (int i = static_cast<int>(threadIdx.x); i < rows * row_packs; i += tile_threads) {
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
  for (int bits = tile_side / 2; bits > 0; bits /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffU, x, bits));
  return x;
}
__device__ __forceinline__ float side_sum(float x) {
  for (int bits = tile_side / 2; bits > 0; bits /= 2) x += __shfl_xor_sync(0xffffffffU, x, bits);
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
    for (int j = 0; j < keys_each; ++j) keys[j] = load<4>(k, (tx + tile_side * j) * Shape::stride + c);
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const Pack<float, 4> query = load<4>(q, (ty + tile_side * i) * Shape::stride + c);
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
      weight[i] = load<4>(weights, (ty + tile_side * i) * Shape::score_stride + key);
#pragma unroll
    for (int u = 0; u < 4; ++u) {
#pragma unroll
      for (int p = 0; p < Shape::packs; ++p) {
        const Pack<float, Shape::width> value =
            load<Shape::width>(v, (key + u) * Shape::stride + (p * tile_side + tx) * Shape::width);
#pragma unroll
        for (int i = 0; i < rows_each; ++i) {
          for (int w = 0; w < Shape::width; ++w) sums[i][p].value[w] += weight[i].value[u] * value.value[w];
        }
      }
    }
  }
}

/// A thread's queries: what has become of the keys so far.
template <int size, int rows_each>
struct Queries {
  using Shape = Tile<size, rows_each>;

  float most[rows_each];
  float sum[rows_each];
  Pack<float, Shape::width> out[rows_each][Shape::packs] = {};

  __device__ __forceinline__ Queries() {
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      most[i] = -INFINITY;
      sum[i] = 0;
    }
  }

  /// Query i's scores of a tile to weights, 2^(score − largest), and what there is so far to the same
  /// largest. −∞ stands for a key that it does not see; of the first tile it sees one at least.
  __device__ __forceinline__ void weigh(int i, const float (&scores)[keys_each], Shared<float> weights,
                                        int tx, int ty) {
    float tile_most = most[i];
#pragma unroll
    for (int j = 0; j < keys_each; ++j) tile_most = fmaxf(tile_most, scores[j]);
    tile_most = side_max(tile_most);
    const float shrink = exp2f(most[i] - tile_most);
    most[i] = tile_most;
    sum[i] *= shrink;
#pragma unroll
    for (int j = 0; j < keys_each; ++j) {
      const float weight = exp2f(scores[j] - tile_most);
      sum[i] += weight;
      weights[(ty + tile_side * i) * Shape::score_stride + tx + tile_side * j] = weight;
    }
#pragma unroll
    for (int p = 0; p < Shape::packs; ++p) {
      for (int w = 0; w < Shape::width; ++w) out[i][p].value[w] *= shrink;
    }
  }

  /// Row r of the tile goes `ld` numbers behind row r − 1, if it is below `rows`.
  __device__ __forceinline__ void write(float* to, std::int64_t ld, int rows, int head_size, int tx, int ty) {
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const float inverse = 1.0F / side_sum(sum[i]);
      const int row = ty + tile_side * i;
      if (row >= rows) continue;
      float* place = to + row * ld;
#pragma unroll
      for (int p = 0; p < Shape::packs; ++p) {
        for (int w = 0; w < Shape::width; ++w) {
          const int column = (p * tile_side + tx) * Shape::width + w;
          if (column < head_size) place[column] = out[i][p].value[w] * inverse;
        }
      }
    }
  }
};

/// A block's shared memory.
template <int size, int rows_each>
struct Tiles {
  using Shape = Tile<size, rows_each>;
  Shared<float> q = dynamic_shared<float>(0, Shape::q_bytes / sizeof(float));
  Shared<float> k = dynamic_shared<float>(Shape::q_bytes, Shape::k_bytes / sizeof(float));
  Shared<float> v = dynamic_shared<float>(Shape::q_bytes + Shape::k_bytes, Shape::k_bytes / sizeof(float));
  Shared<float> weights =
      dynamic_shared<float>(Shape::q_bytes + 2 * Shape::k_bytes, Shape::score_bytes / sizeof(float));
};

}  // namespace incipit::device::cuda::attention_tile
