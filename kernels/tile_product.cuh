#pragma once

#include "pack.cuh"
#include "shared.cuh"

/// Products of matrices that a library cannot take: sizes that only the device knows, rows picked by an
/// index, a last word on each element. Each element is summed over the depth in ascending order by one
/// thread, whatever lies beside it.
namespace incipit::device::cuda {

inline constexpr int product_side = 16;
inline constexpr int product_threads = product_side * product_side;
/// Rows and columns of a tile.
inline constexpr int product_tile = 64;
/// What of the depth is in shared memory at once.
inline constexpr int product_slab = 16;

/// Which of a tile's sides lies in memory the way threads are numbered, so that neighbours load neighbours.
enum class Along { depth, side };

/// Sizes of a product, left (rows×depth) times right (depth×columns).
struct ProductShape {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
};

/// A slab of one operand into shared memory as [depth][side]: get(side, depth), zeros beyond.
template <Along along, class T, class Get>
__device__ __forceinline__ void load_slab(Shared<T> to, std::int64_t first_side, std::int64_t sides,
                                          std::int64_t first_depth, std::int64_t depth, Get get) {
  constexpr int stride = product_tile + widest<T>;
  constexpr int inner = along == Along::depth ? product_slab : product_tile;
#pragma unroll
  for (int u = 0; u < product_tile * product_slab / product_threads; ++u) {
    const int place = u * product_threads + static_cast<int>(threadIdx.x);
    const int k = along == Along::depth ? place % inner : place / inner;
    const int side = along == Along::depth ? place / inner : place % inner;
    const bool inside = first_side + side < sides && first_depth + k < depth;
    to[k * stride + side] = inside ? get(first_side + side, first_depth + k) : T{0};
  }
}

/// put(row, column, Σ_k left(row, k)·right(column, k)) for the elements of tile (blockIdx.x, blockIdx.y), by
/// product_threads threads.
template <Along left_along, Along right_along, class T, class Left, class Right, class Put>
__device__ __forceinline__ void multiply_tile(const ProductShape& shape, Left left, Right right, Put put) {
  struct A;
  struct B;
  constexpr int stride = product_tile + widest<T>;
  constexpr int each = product_tile / product_side;
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.x) * product_tile;
  const std::int64_t column0 = static_cast<std::int64_t>(blockIdx.y) * product_tile;
  // Grids are made for the largest sizes there can be.
  if (row0 >= shape.rows || column0 >= shape.columns) return;
  const Shared<T> a = shared_array<A, T, product_slab * stride>();
  const Shared<T> b = shared_array<B, T, product_slab * stride>();
  const int tx = static_cast<int>(threadIdx.x) % product_side;
  const int ty = static_cast<int>(threadIdx.x) / product_side;

  T sums[each][each] = {};
  for (std::int64_t k0 = 0; k0 < shape.depth; k0 += product_slab) {
    load_slab<left_along, T>(a, row0, shape.rows, k0, shape.depth, left);
    load_slab<right_along, T>(b, column0, shape.columns, k0, shape.depth, right);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < product_slab; ++k) {
      T x[each];
      T y[each];
#pragma unroll
      for (int i = 0; i < each; ++i) {
        x[i] = a[k * stride + i * product_side + ty];
        y[i] = b[k * stride + i * product_side + tx];
      }
#pragma unroll
      for (int i = 0; i < each; ++i) {
#pragma unroll
        for (int j = 0; j < each; ++j) sums[i][j] += x[i] * y[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < each; ++i) {
#pragma unroll
    for (int j = 0; j < each; ++j) {
      const std::int64_t row = row0 + i * product_side + ty;
      const std::int64_t column = column0 + j * product_side + tx;
      if (row < shape.rows && column < shape.columns) put(row, column, sums[i][j]);
    }
  }
}

}  // namespace incipit::device::cuda
