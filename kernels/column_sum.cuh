#pragma once

#include "launch.cuh"
#include "memory.cuh"

/// Σ factor · coefficient[row] · matrix[row] over the rows of several matrices, by blocks of rows whose sums
/// are added up in their order. No atomics; the order is a function of the shapes. Problems of one shape
/// stand one behind the other in every array.
namespace incipit::device::cuda {

template <class T>
struct ColumnTerm {
  std::int64_t rows = 0;
  T factor = 1;
  const T* matrix = nullptr;            ///< problems × rows × d
  const T* coefficient = nullptr;       ///< problems × rows, or null for 1
  const std::int64_t* count = nullptr;  ///< problems, how many of the rows; or null for all
  const std::int32_t* index = nullptr;  ///< problems × rows, which these are; or null for 0, 1, 2, …
};

inline constexpr int column_threads = 128;
inline constexpr std::int64_t column_block_rows = 64;

template <class T>
__global__ void __launch_bounds__(column_threads)
    column_partial_kernel(ColumnTerm<T> term, std::int64_t d, std::int64_t blocks, T* partial) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * column_threads + threadIdx.x;
  if (column >= d) return;
  const std::int64_t problem = blockIdx.z;
  const std::int64_t first = problem * term.rows;
  const std::int64_t rows = term.count != nullptr ? term.count[problem] : term.rows;
  const std::int64_t begin = blockIdx.x * column_block_rows;
  const std::int64_t end = begin + column_block_rows < rows ? begin + column_block_rows : rows;
  T sum = 0;
#pragma unroll 8
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t row = term.index != nullptr ? term.index[first + i] : i;
    const T value = term.matrix[(first + row) * d + column];
    sum += term.coefficient != nullptr ? term.coefficient[first + i] * value : value;
  }
  partial[(problem * blocks + blockIdx.x) * d + column] = term.factor * sum;
}

template <class T>
__global__ void __launch_bounds__(column_threads)
    column_total_kernel(const T* partial, std::int64_t blocks, std::int64_t d, bool add, T* out) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * column_threads + threadIdx.x;
  if (column >= d) return;
  const std::int64_t problem = blockIdx.z;
  T* target = out + problem * d + column;
  double sum = add ? static_cast<double>(*target) : 0;
#pragma unroll 8
  for (std::int64_t block = 0; block < blocks; ++block)
    sum += static_cast<double>(partial[(problem * blocks + block) * d + column]);
  *target = static_cast<T>(sum);
}

/// out[problem, d] = the sum, or with `add` out plus it.
template <class T, std::size_t count>
void sum_columns(const ColumnTerm<T> (&terms)[count], std::int64_t problems, std::int64_t d, bool add, T* out,
                 Memory& memory, const Call& call) {
  std::int64_t blocks = 0;
  for (const ColumnTerm<T>& term : terms) blocks += divide_up(term.rows, column_block_rows);
  const Scratch<T> partial(memory, problems * blocks * d, call);
  const std::int64_t across = divide_up(d, column_threads);
  std::int64_t done = 0;
  for (const ColumnTerm<T>& term : terms) {
    const std::int64_t here = divide_up(term.rows, column_block_rows);
    launch(call, {.blocks = here, .threads = column_threads, .across = across, .problems = problems},
           column_partial_kernel<T>, term, d, blocks, partial.get() + done * d);
    done += here;
  }
  launch(call, {.blocks = across, .threads = column_threads, .problems = problems}, column_total_kernel<T>,
         partial.get(), blocks, d, add, out);
}

}  // namespace incipit::device::cuda
