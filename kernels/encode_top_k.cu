// z = x · encoderᵀ + bias and its largest entries per row. One kernel makes a tile of the product and keeps
// each row's largest in it: with one entry kept, z never leaves the registers, and a second kernel takes the
// largest of the tiles' largest. With more kept, z goes to memory, in chunks of rows, and a selection by
// digits follows. Each element of z is summed over d in one order, whatever lies beside it. Problems are the
// grid's third dimension.

#include <algorithm>
#include <climits>
#include <cmath>

#include "cuda_device.hpp"
#include "device/encode_top_k.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "select.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int encode_side = 16;
constexpr int encode_threads = encode_side * encode_side;

/// A thread's rows (and latents) are one pack or two. Two make better use of what is loaded, one makes four
/// times as many blocks, for batches too small to fill a device. The sums are the same bytes either way.
template <class T, int packs>
struct EncodeTile {
  /// Columns of d that are in shared memory at once: all threads load, one pack of each side.
  static constexpr int slab = 16 / packs;
  static constexpr int along = slab / widest<T>;  ///< packs of a slab's row
  /// How far a thread's packs are apart.
  static constexpr int part = encode_side * widest<T>;
  static constexpr int size = packs * part;
  static constexpr int each = packs * widest<T>;
  /// Keeps packs aligned, and the columns of a transposed store in different banks.
  static constexpr int stride = size + widest<T>;

  static_assert(encode_tile_rows % size == 0 && encode_threads / along == size);
  /// Where a thread's i-th row or latent lies in the tile.
  static __device__ __forceinline__ int place_of(int i, int t) {
    return i / widest<T> * part + t * widest<T> + i % widest<T>;
  }
};

/// A row's largest z so far.
template <class T>
struct Best {
  T value;
  int index;

  __device__ __forceinline__ void offer(T z, int i) {
    if (z > value || (z == value && i < index)) {
      value = z;
      index = i;
    }
  }
};

template <class T>
struct Partial {
  T* value;  ///< problems × latent tiles × n, or null
  std::int32_t* index;
};

/// Where a thread reads its part of the slabs: `widest` neighbours of one row of x or of the encoder, then
/// those a slab further on.
template <class T, int packs>
class Source {
  using Shape = EncodeTile<T, packs>;

 public:
  __device__ __forceinline__ Source(const T* rows, std::int64_t first, std::int64_t count, std::int64_t d) {
    const std::int64_t row = first + static_cast<int>(threadIdx.x) / Shape::along;
    const int column = static_cast<int>(threadIdx.x) % Shape::along * widest<T>;
    place_ = rows + row * d + column;
    left_ = row < count ? static_cast<int>(d) - column : 0;
  }

  /// Zeros beyond the matrix.
  __device__ __forceinline__ Pack<T, widest<T>> next(bool whole_packs) {
    Pack<T, widest<T>> x = {};
    if (left_ > 0) {
      if (whole_packs) {
        x = load<widest<T>>(place_, 0);
      } else {
        for (int u = 0; u < widest<T>; ++u) x.value[u] = u < left_ ? place_[u] : T{0};
      }
    }
    place_ += Shape::slab;
    left_ -= Shape::slab;
    return x;
  }

 private:
  const T* place_;
  int left_;  ///< columns of the row from here on
};

/// Into shared memory, transposed: [column of the slab][row of the tile].
template <int packs, class T>
__device__ __forceinline__ void put(Shared<T> to, const Pack<T, widest<T>>& x) {
  using Shape = EncodeTile<T, packs>;
  const int row = static_cast<int>(threadIdx.x) / Shape::along;
  const int column = static_cast<int>(threadIdx.x) % Shape::along * widest<T>;
  for (int u = 0; u < widest<T>; ++u) to[(column + u) * Shape::stride + row] = x.value[u];
}

template <class T, int packs, int each>
__device__ __forceinline__ void multiply_slab(Shared<T> a, Shared<T> b, int tx, int ty,
                                              T (&sums)[each][each]) {
  using Shape = EncodeTile<T, packs>;
  constexpr int w = widest<T>;
#pragma unroll
  for (int k = 0; k < Shape::slab; ++k) {
    Pack<T, w> right[packs];
#pragma unroll
    for (int pack = 0; pack < packs; ++pack)
      right[pack] = load<w>(b, k * Shape::stride + pack * Shape::part + tx * w);
      // One pack at a time: with both, registers run out.
#pragma unroll
    for (int pack = 0; pack < packs; ++pack) {
      const Pack<T, w> left = load<w>(a, k * Shape::stride + pack * Shape::part + ty * w);
#pragma unroll
      for (int i = 0; i < w; ++i) {
#pragma unroll
        for (int j = 0; j < each; ++j) sums[pack * w + i][j] += left.value[i] * right[j / w].value[j % w];
      }
    }
  }
}

template <class T, int packs>
__global__ void __launch_bounds__(encode_threads, 2)
    encode_tile_kernel(EncodeTopK<T> op, Partial<T> partial, bool whole_packs) {
  using Shape = EncodeTile<T, packs>;
  struct Left;
  struct Right;
  const Shared<T> a = shared_array<Left, T, Shape::slab * Shape::stride>();
  const Shared<T> b = shared_array<Right, T, Shape::slab * Shape::stride>();
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.x) * Shape::size;
  const std::int64_t latent0 = static_cast<std::int64_t>(blockIdx.y) * Shape::size;
  const int tx = static_cast<int>(threadIdx.x) % encode_side;
  const int ty = static_cast<int>(threadIdx.x) / encode_side;

  T sums[Shape::each][Shape::each] = {};
  const std::int64_t problem = blockIdx.z;
  Source<T, packs> source_a(op.x + problem * op.n * op.d, row0, op.n, op.d);
  Source<T, packs> source_b(op.encoder + problem * op.h * op.d, latent0, op.h, op.d);
  Pack<T, widest<T>> next_a = source_a.next(whole_packs);
  Pack<T, widest<T>> next_b = source_b.next(whole_packs);
  const int d = static_cast<int>(op.d);
  for (int column = 0; column < d; column += Shape::slab) {
    put<packs, T>(a, next_a);
    put<packs, T>(b, next_b);
    __syncthreads();
    // On their way while this slab is multiplied.
    next_a = source_a.next(whole_packs);
    next_b = source_b.next(whole_packs);
    multiply_slab<T, packs>(a, b, tx, ty, sums);
    __syncthreads();
  }

  const int h = static_cast<int>(op.h);
  const T* bias = op.bias + problem * op.h;
  const int first_latent = static_cast<int>(latent0) + tx * widest<T>;
#pragma unroll
  for (int i = 0; i < Shape::each; ++i) {
    const std::int64_t row = row0 + Shape::place_of(i, ty);
    T* z_row = op.z != nullptr && row < op.n ? op.z + (problem * op.n + row) * op.h + first_latent : nullptr;
    Best<T> best{-static_cast<T>(INFINITY), INT_MAX};
#pragma unroll
    for (int j = 0; j < Shape::each; ++j) {
      const int beyond = Shape::place_of(j, 0);
      if (first_latent + beyond >= h) continue;
      T z = sums[i][j] + bias[first_latent + beyond];
      // A NaN must not hide behind comparisons.
      if (z != z) z = static_cast<T>(INFINITY);
      best.offer(z, first_latent + beyond);
      if (z_row != nullptr) z_row[beyond] = z;
    }
    if (partial.value == nullptr) continue;
    for (int bits = encode_side / 2; bits > 0; bits /= 2) {
      const T value = __shfl_xor_sync(all_lanes, best.value, bits);
      best.offer(value, __shfl_xor_sync(all_lanes, best.index, bits));
    }
    if (tx == 0 && row < op.n) {
      const std::int64_t place = (problem * gridDim.y + blockIdx.y) * op.n + row;
      partial.value[place] = best.value;
      partial.index[place] = best.index;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(encode_threads)
    largest_tile_kernel(EncodeTopK<T> op, Partial<T> partial, int tiles) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * encode_threads + threadIdx.x;
  if (row >= op.problems * op.n) return;
  const std::int64_t first = row / op.n * tiles * op.n + row % op.n;
  Best<T> best{partial.value[first], partial.index[first]};
  for (int tile = 1; tile < tiles; ++tile)
    best.offer(partial.value[first + tile * op.n], partial.index[first + tile * op.n]);
  op.value[row] = best.value;
  op.index[row] = best.index;
}

/// What is kept of a row is put in order in shared memory.
constexpr int most_kept = 1024;

/// One block per row of z: the entries above the threshold in any order, then a bitonic sort.
template <class T>
__global__ void __launch_bounds__(encode_threads) top_k_kernel(EncodeTopK<T> op, int slots) {
  struct Keys;
  struct Indices;
  struct Count;
  const Shared<Key<T>> keys = shared_array<Keys, Key<T>, most_kept>();
  const Shared<int> indices = shared_array<Indices, int, most_kept>();
  const Shared<int> count = shared_array<Count, int, 1>();
  const std::int64_t row = blockIdx.x;
  const T* z = op.z + row * op.h;
  const int n = static_cast<int>(op.h);
  const int keep = static_cast<int>(op.keep);
  const int thread = static_cast<int>(threadIdx.x);
  const int step = static_cast<int>(blockDim.x);

  const auto get = [z](int i) { return key_of(z[i]); };
  const Threshold<Key<T>> threshold = select_largest<Key<T>>(n, keep, get);
  for (int i = keep + thread; i < slots; i += step) {
    keys[i] = Key<T>{0};
    indices[i] = INT_MAX;
  }
  if (thread == 0) count[0] = 0;
  __syncthreads();
  for (int i = thread; i < n; i += step) {
    const Key<T> key = get(i);
    if (!threshold.keeps(key, i)) continue;
    const int place = atomic_add(count, 0, 1);
    keys[place] = key;
    indices[place] = i;
  }
  __syncthreads();

  for (int run = 2; run <= slots; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int i = thread; i < slots / 2; i += step) {
        const int low = i / distance * 2 * distance + i % distance;
        const int high = low + distance;
        const Key<T> low_key = keys[low];
        const Key<T> high_key = keys[high];
        const int low_index = indices[low];
        const int high_index = indices[high];
        const bool in_order = low_key > high_key || (low_key == high_key && low_index < high_index);
        if (in_order == ((low & run) == 0)) continue;
        keys[low] = high_key;
        keys[high] = low_key;
        indices[low] = high_index;
        indices[high] = low_index;
      }
      __syncthreads();
    }
  }
  for (int t = thread; t < keep; t += step) {
    const int i = indices[t];
    op.index[row * op.keep + t] = i;
    op.value[row * op.keep + t] = z[i];
  }
}

int power_of_two(std::int64_t n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

template <int packs, class T>
std::int64_t latent_tiles(const EncodeTopK<T>& op) {
  return divide_up(op.h, EncodeTile<T, packs>::size);
}

template <int packs, class T>
void encode_by_tiles(const EncodeTopK<T>& op, const Partial<T>& partial, const Call& call) {
  launch(call,
         {.blocks = divide_up(op.n, EncodeTile<T, packs>::size),
          .threads = encode_threads,
          .across = latent_tiles<packs>(op),
          .problems = op.problems},
         encode_tile_kernel<T, packs>, op, partial, packable<widest<T>>(op.d, op.x, op.encoder));
}

/// Whether large tiles would leave most of a device idle.
template <class T>
bool few_tiles(const EncodeTopK<T>& op) {
  constexpr std::int64_t enough = 128;
  return op.problems * divide_up(op.n, EncodeTile<T, 2>::size) * latent_tiles<2>(op) < enough;
}

template <class T>
void encode(const EncodeTopK<T>& op, const Partial<T>& partial, const Call& call) {
  few_tiles(op) ? encode_by_tiles<1>(op, partial, call) : encode_by_tiles<2>(op, partial, call);
}

template <class T>
void keep_one(const EncodeTopK<T>& op, Memory& memory, const Call& call) {
  const std::int64_t tiles = few_tiles(op) ? latent_tiles<1>(op) : latent_tiles<2>(op);
  const std::int64_t rows = op.problems * op.n;
  const Scratch<T> value(memory, tiles * rows, call);
  const Scratch<std::int32_t> index(memory, tiles * rows, call);
  const Partial<T> partial{value.get(), index.get()};
  encode(op, partial, call);
  launch(call, {.blocks = divide_up(rows, encode_threads), .threads = encode_threads}, largest_tile_kernel<T>,
         op, partial, static_cast<int>(tiles));
}

/// Numbers of z that are held at once where z is not wanted.
constexpr std::int64_t most_numbers = std::int64_t{1} << 26;

/// z is there, of all rows of all problems.
template <class T>
void keep_of_z(const EncodeTopK<T>& op, const Call& call) {
  const int block = static_cast<int>(std::min<std::int64_t>(encode_threads, round_up(op.h, warp_lanes)));
  encode(op, Partial<T>{}, call);
  launch(call, {.blocks = op.problems * op.n, .threads = block}, top_k_kernel<T>, op, power_of_two(op.keep));
}

/// One problem, by chunks of rows.
template <class T>
void keep_by_chunks(EncodeTopK<T> op, Memory& memory, const Call& call) {
  const std::int64_t chunk =
      std::max(encode_tile_rows, most_numbers / op.h / encode_tile_rows * encode_tile_rows);
  const Scratch<T> scratch(memory, std::min(chunk, op.n) * op.h, call);
  op.z = scratch.get();
  for (std::int64_t left = op.n; left > 0; left -= op.n) {
    op.n = std::min(chunk, left);
    keep_of_z(op, call);
    op.x += op.n * op.d;
    op.index += op.n * op.keep;
    op.value += op.n * op.keep;
  }
}

template <class T>
EncodeTopK<T> only_problem(EncodeTopK<T> op, std::int64_t problem) {
  op.x += problem * op.n * op.d;
  op.encoder += problem * op.h * op.d;
  op.bias += problem * op.h;
  op.index += problem * op.n * op.keep;
  op.value += problem * op.n * op.keep;
  op.problems = 1;
  return op;
}

template <class T>
void keep_several(EncodeTopK<T> op, Memory& memory, const Call& call) {
  if (op.z != nullptr) return keep_of_z(op, call);
  const std::int64_t numbers = op.problems * op.n * op.h;
  if (numbers > most_numbers) {
    for (std::int64_t p = 0; p < op.problems; ++p) keep_by_chunks(only_problem(op, p), memory, call);
    return;
  }
  const Scratch<T> scratch(memory, numbers, call);
  op.z = scratch.get();
  keep_of_z(op, call);
}

template <class T>
void run(const EncodeTopK<T>& op, Memory& memory, const Call& call) {
  if (op.keep < 0 || op.keep > op.h || op.keep > most_kept) {
    throw Error(Exit::defect, describe(call) + " (problems, n, d, h, keep): at most " +
                                  std::to_string(most_kept) + " of h can be kept");
  }
  if (op.n == 0 || op.problems == 0) return;
  if (op.keep == 0) return encode(op, Partial<T>{}, call);
  op.keep == 1 ? keep_one(op, memory, call) : keep_several(op, memory, call);
}

}  // namespace

void CudaDevice::encode_top_k(const EncodeTopK<float>& op) {
  run(op, *memory_, begin("encode_top_k", {op.problems, op.n, op.d, op.h, op.keep}));
}
void CudaDevice::encode_top_k(const EncodeTopK<double>& op) {
  run(op, *memory_, begin("encode_top_k (fp64)", {op.problems, op.n, op.d, op.h, op.keep}));
}

}  // namespace incipit::device
