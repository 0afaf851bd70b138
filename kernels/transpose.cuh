#pragma once

#include "rows.cuh"

/// Between row-major and the column-major of the libraries.
namespace incipit::device::cuda {

template <class T>
__global__ void __launch_bounds__(row_threads)
    transpose_kernel(std::int64_t rows, std::int64_t columns, const T* in, T* out, int along) {
  for_each_element(rows, columns, along, [&](std::int64_t row, std::int64_t column) {
    out[column * rows + row] = in[row * columns + column];
  });
}

/// out[columns, rows] = in[rows, columns]ᵀ, apart from in.
template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* in, T* out, const Call& call) {
  launch_rows(call, rows, columns, transpose_kernel<T>, rows, columns, in, out);
}

}  // namespace incipit::device::cuda
