#pragma once

#include <cstdint>

#include "launch.cuh"
#include "reduce.cuh"

/// Work on each element of a matrix, with rows of any length: a block takes one row or several, and long rows
/// are shared out over blocks.
namespace incipit::device::cuda {

inline constexpr int row_threads = 256;

struct RowGrid {
  Grid grid;
  int along;  ///< threads along a row, a power of two
};

/// Threads along a row, for rows of `columns` elements (or packs).
inline RowGrid row_grid(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t columns_each = 4;
  constexpr std::int64_t most_across = 1024;
  int along = 1;
  while (along < row_threads && along < columns) along *= 2;
  std::int64_t across = divide_up(columns, along * columns_each);
  across = across < 1 ? 1 : (across > most_across ? most_across : across);
  return {{.blocks = columns > 0 ? divide_up(rows, row_threads / along) : 0,
           .threads = row_threads,
           .across = across},
          along};
}

/// Launches a kernel that walks `columns` elements (or packs) of each row; the grid's `along` is its last
/// argument.
template <class... Parameters, class... Arguments>
void launch_rows(const Call& call, std::int64_t rows, std::int64_t columns, void (*kernel)(Parameters...),
                 const Arguments&... arguments) {
  const RowGrid row = row_grid(rows, columns);
  launch(call, row.grid, kernel, arguments..., row.along);
}

/// Threads of a block that has one row of `columns`: whole warps.
inline int row_block_threads(std::int64_t columns) {
  if (columns >= row_threads) return row_threads;
  return columns < 1 ? warp_lanes : static_cast<int>(round_up(columns, warp_lanes));
}

/// f(row, column) once for each element.
template <class F>
__device__ __forceinline__ void for_each_element(std::int64_t rows, std::int64_t columns, int along, F f) {
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (row_threads / along) + thread / along;
  if (row >= rows) return;
  const std::int64_t step = static_cast<std::int64_t>(along) * gridDim.y;
  for (std::int64_t c = static_cast<std::int64_t>(blockIdx.y) * along + thread % along; c < columns;
       c += step)
    f(row, c);
}

}  // namespace incipit::device::cuda
