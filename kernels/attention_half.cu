// Causal attention in 16 bits on the tensor cores, with fp32 sums and an online softmax (after
// FlashAttention-2: Dao, arXiv 2307.08691). Each warp owns 16 queries at one head and walks the keys, which
// the block's warps share tile by tile; the next tile is on its way while one is worked on. Scores and the
// output stay in registers, where rounded weights are already the left operand of the product with v.

#include <algorithm>
#include <cmath>

#include "cuda_device.hpp"
#include "device/attention.hpp"
#include "error.hpp"
#include "fragment.cuh"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// Queries of a warp, and the width of a fragment.
constexpr int warp_rows = 16;
/// Of 16 bits: 16 bytes.
constexpr int half_pack = 8;

/// Warps of a block: one where there are few queries each, as when only last tokens ask.
constexpr int half_warps = 4;

/// Heads of `size` numbers, shorter ones filled up with zeros.
template <int size>
struct HalfTile {
  static constexpr int keys = size > 128 ? 32 : 64;
  /// Eight rows of a matrix fall into different banks.
  static constexpr int stride = size + half_pack;
  /// Registers hold the queries as long as they hold the output too.
  static constexpr bool queries_held = size <= 128;

  static constexpr std::size_t key_size = std::size_t{keys} * stride;
  /// Bytes of two tiles each of keys and values, and of the queries behind them.
  static constexpr std::size_t bytes(int warps) {
    return (4 * key_size + std::size_t{warp_rows} * warps * stride) * sizeof(Float16);
  }
};

/// What a block works on: a tile of one sequence's queries at one head.
template <HalfNumber T>
struct HalfWork {
  const T* q;      ///< the tile's first query
  const T* k;      ///< the sequence's first key
  const T* v;      ///< the sequence's first value
  T* out;          ///< where the first query's output goes
  int rows;        ///< queries of the tile
  int seen_first;  ///< keys that the first query sees; each later one sees one more
};

/// No rows where the tile lies beyond the sequence's queries.
template <HalfNumber T>
__device__ __forceinline__ HalfWork<T> work_of(const Attention<T>& op, int tiles, int tile_queries) {
  // The last tiles of the longest sequences have the most keys: they begin first.
  const std::int64_t sequence = blockIdx.x % op.sequences;
  const int first = (tiles - 1 - static_cast<int>(blockIdx.x / op.sequences)) * tile_queries;
  const int query_begin = op.query_starts[sequence];
  const int key_begin = op.key_starts[sequence];
  const int queries = op.query_starts[sequence + 1] - query_begin;
  const std::int64_t head = blockIdx.y;
  const std::int64_t query = static_cast<std::int64_t>(query_begin) + first;
  return {.q = op.q + (head * op.query_rows + query) * op.head_size,
          .k = op.k + (head * op.key_rows + key_begin) * op.head_size,
          .v = op.v + (head * op.key_rows + key_begin) * op.head_size,
          .out = op.out + (query * op.heads + head) * op.head_size,
          .rows = queries - first < tile_queries ? queries - first : tile_queries,
          .seen_first = op.key_starts[sequence + 1] - key_begin - queries + first + 1};
}

/// The first `size` columns of `rows` rows on their way into shared memory; zeros beyond what there is.
template <int size, HalfNumber T>
__device__ __forceinline__ void begin_tile(Shared<T> to, const T* from, int rows, int available,
                                           int head_size, bool whole_packs) {
  constexpr int row_packs = size / half_pack;
  for (int i = static_cast<int>(threadIdx.x); i < rows * row_packs; i += static_cast<int>(blockDim.x)) {
    const int row = i / row_packs;
    const int column = i % row_packs * half_pack;
    const Shared<T> place = to + (row * (size + half_pack) + column);
    const T* source = from + static_cast<std::int64_t>(row) * head_size + column;
    const bool there = row < available && column < head_size;
    if (whole_packs) {
      begin_copy<T>(place, there ? source : from, there);
      continue;
    }
    Pack<T, half_pack> x = {};
    if (there) {
      for (int u = 0; u < half_pack; ++u) {
        if (column + u < head_size) x.value[u] = source[u];
      }
    }
    store(place, 0, x);
  }
}

/// Over the four lanes that share a row of a fragment.
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(all_lanes, x, 1));
  return fmaxf(x, __shfl_xor_sync(all_lanes, x, 2));
}
__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(all_lanes, x, 1);
  return x + __shfl_xor_sync(all_lanes, x, 2);
}

/// One warp's queries: what has become of the keys so far. Lane l has the rows l / 4 and l / 4 + 8.
template <HalfNumber T, int size, int keys>
struct WarpQueries {
  static constexpr int stride = size + half_pack;

  float most[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  FragmentSums out[size / 8] = {};

  /// scores = q kᵀ
  template <class Query>
  __device__ __forceinline__ void score(Query query, Shared<T> k, FragmentSums (&scores)[keys / 8]) {
#pragma unroll
    for (int c = 0; c < size / 16; ++c) {
      const LeftFragment<T> q = query(c);
#pragma unroll
      for (int j = 0; j < keys / 16; ++j) {
        RightFragment<T> right[2];
        load_right<T>(k + (j * 16 * stride + c * 16), stride, right);
        multiply_add(scores[2 * j], q, right[0]);
        multiply_add(scores[2 * j + 1], q, right[1]);
      }
    }
  }

  /// Takes scores to weights, 2^(factor · score − largest), and what there is so far to the same largest.
  /// Row r sees the tile's keys before seen[r].
  __device__ __forceinline__ void weigh(FragmentSums (&scores)[keys / 8], const int (&seen)[2],
                                        float factor) {
    const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float tile_most = most[r];
#pragma unroll
      for (int j = 0; j < keys / 8; ++j) {
#pragma unroll
        for (int u = 0; u < 2; ++u) {
          float& score = scores[j].value[2 * r + u];
          score = j * 8 + column + u < seen[r] ? score * factor : -INFINITY;
          tile_most = fmaxf(tile_most, score);
        }
      }
      tile_most = row_max(tile_most);
      const float shrink = exp2f(most[r] - tile_most);
      most[r] = tile_most;
      sum[r] *= shrink;
#pragma unroll
      for (int j = 0; j < keys / 8; ++j) {
#pragma unroll
        for (int u = 0; u < 2; ++u) {
          float& score = scores[j].value[2 * r + u];
          score = exp2f(score - tile_most);
          sum[r] += score;
        }
      }
#pragma unroll
      for (int n = 0; n < size / 8; ++n) {
        out[n].value[2 * r] *= shrink;
        out[n].value[2 * r + 1] *= shrink;
      }
    }
  }

  /// out += weights · v
  __device__ __forceinline__ void accumulate(const FragmentSums (&weights)[keys / 8], Shared<T> v) {
#pragma unroll
    for (int j = 0; j < keys / 16; ++j) {
      const LeftFragment<T> left = as_left<T>(weights[2 * j], weights[2 * j + 1]);
#pragma unroll
      for (int c = 0; c < size / 16; ++c) {
        RightFragment<T> right[2];
        load_right_transposed<T>(v + (j * 16 * stride + c * 16), stride, right);
        multiply_add(out[2 * c], left, right[0]);
        multiply_add(out[2 * c + 1], left, right[1]);
      }
    }
  }

  /// Row r of the warp goes `ld` elements behind row r − 1, if it is below `rows`.
  __device__ __forceinline__ void write(T* to, std::int64_t ld, int rows, int head_size, bool whole_packs) {
    const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float inverse = 1.0F / row_sum(sum[r]);
      const int row = lane / 4 + 8 * r;
      if (row >= rows) continue;
      T* place = to + row * ld;
#pragma unroll
      for (int n = 0; n < size / 8; ++n) {
        const int column = n * 8 + lane % 4 * 2;
        const Pack<float, 2> pair = {{out[n].value[2 * r] * inverse, out[n].value[2 * r + 1] * inverse}};
        if (column >= head_size) continue;
        if (whole_packs) {
          store_rounded(place, column, pair);
        } else {
          place[column] = narrow<T>(pair.value[0]);
          if (column + 1 < head_size) place[column + 1] = narrow<T>(pair.value[1]);
        }
      }
    }
  }
};

template <HalfNumber T, int size>
__global__ void __launch_bounds__(half_warps* warp_lanes)
    attention_half_kernel(Attention<T> op, int tiles, bool whole_packs) {
  using Shape = HalfTile<size>;
  const int tile_queries = static_cast<int>(blockDim.x) / warp_lanes * warp_rows;
  const HalfWork<T> work = work_of(op, tiles, tile_queries);
  if (work.rows <= 0) return;
  const int keys = work.seen_first + work.rows - 1;
  const int head_size = static_cast<int>(op.head_size);
  const int warp = static_cast<int>(threadIdx.x) / warp_lanes;
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  const int warp_first = warp * warp_rows;
  /// Keys that the warp's last query sees; a warp of no queries sees none.
  const int warp_queries = work.rows - warp_first < warp_rows ? work.rows - warp_first : warp_rows;
  const int warp_keys = warp_queries > 0 ? work.seen_first + warp_first + warp_queries - 1 : 0;

  const Shared<T> k = dynamic_shared<T>(0, 2 * Shape::key_size);
  const Shared<T> v = dynamic_shared<T>(2 * Shape::key_size * sizeof(T), 2 * Shape::key_size);
  const Shared<T> q = dynamic_shared<T>(4 * Shape::key_size * sizeof(T),
                                        static_cast<std::size_t>(tile_queries) * Shape::stride);
  const auto begin_keys = [&](int key, int stage) {
    const std::int64_t from = static_cast<std::int64_t>(key) * head_size;
    const int offset = stage * static_cast<int>(Shape::key_size);
    begin_tile<size, T>(k + offset, work.k + from, Shape::keys, keys - key, head_size, whole_packs);
    begin_tile<size, T>(v + offset, work.v + from, Shape::keys, keys - key, head_size, whole_packs);
  };
  begin_tile<size, T>(q, work.q, tile_queries, work.rows, head_size, whole_packs);
  begin_keys(0, 0);

  constexpr float log2_e = 1.44269504F;
  WarpQueries<T, size, Shape::keys> queries;
  LeftFragment<T> held[Shape::queries_held ? size / 16 : 1];
  int stage = 0;
  for (int key = 0; key < keys; key += Shape::keys) {
    finish_copies();
    // Also: every warp has done with the tile before, whose place the next one takes.
    __syncthreads();
    if (key + Shape::keys < keys) begin_keys(key + Shape::keys, 1 - stage);
    if (key < warp_keys) {
      const Shared<T> own = q + warp_first * Shape::stride;
      if constexpr (Shape::queries_held) {
        if (key == 0) {
#pragma unroll
          for (int c = 0; c < size / 16; ++c) held[c] = load_left<T>(own + c * 16, Shape::stride);
        }
      }
      const auto query = [&](int c) {
        if constexpr (Shape::queries_held) {
          return held[c];
        } else {
          return load_left<T>(own + c * 16, Shape::stride);
        }
      };
      const int offset = stage * static_cast<int>(Shape::key_size);
      // Rows below the last query compute what nobody reads, from keys that exist.
      int seen[2];
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int row = lane / 4 + 8 * r;
        seen[r] = (row < warp_queries ? work.seen_first + warp_first + row : warp_keys) - key;
      }
      FragmentSums scores[Shape::keys / 8] = {};
      queries.score(query, k + offset, scores);
      queries.weigh(scores, seen, op.scale * log2_e);
      queries.accumulate(scores, v + offset);
    }
    stage = 1 - stage;
  }
  if (warp_queries > 0) {
    const std::int64_t ld = op.heads * op.head_size;
    queries.write(work.out + warp_first * ld, ld, warp_queries, head_size, whole_packs);
  }
}

template <int size, HalfNumber T>
void run(const Attention<T>& op, const Call& call) {
  const int warps = op.query_rows <= warp_rows * op.sequences ? 1 : half_warps;
  // No sequence has more queries than keys, or than there are queries.
  const std::int64_t tiles = divide_up(std::min(op.longest, op.query_rows), warps * warp_rows);
  launch(call,
         {.blocks = tiles * op.sequences,
          .threads = warps * warp_lanes,
          .across = op.heads,
          .shared = HalfTile<size>::bytes(warps)},
         attention_half_kernel<T, size>, op, static_cast<int>(tiles),
         packable<half_pack>(op.head_size, op.q, op.k, op.v, op.out));
}

template <HalfNumber T>
void run(const Attention<T>& op, const Call& call) {
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

}  // namespace

void CudaDevice::attention(const Attention<Float16>& op) {
  run(op, begin("attention (fp16)", {op.sequences, op.heads, op.head_size, op.query_rows, op.key_rows}));
}
void CudaDevice::attention(const Attention<BFloat16>& op) {
  run(op, begin("attention (bf16)", {op.sequences, op.heads, op.head_size, op.query_rows, op.key_rows}));
}

}  // namespace incipit::device
