#pragma once

#include <algorithm>
#include <vector>

#include "error.hpp"
#include "memory.cuh"
#include "reduce.cuh"
#include "rows.cuh"

/// What a decomposition must see before it begins: libraries do not say what they do with NaN.
namespace incipit::device::cuda {

__device__ __forceinline__ bool nonfinite(double x) {
  return (__double_as_longlong(x) & 0x7ff0000000000000LL) == 0x7ff0000000000000LL;
}

inline constexpr std::int64_t most_finite_blocks = 1024;

/// counts[block] = how many of the values a block looks at are NaN or infinite.
template <class T>
__global__ void __launch_bounds__(row_threads)
    nonfinite_kernel(const T* values, std::int64_t size, std::int32_t* counts) {
  int count = 0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += step)
    count += nonfinite(values[i]) ? 1 : 0;
  count = block_sum(count);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

/// Error(numbers) when one of the values is NaN or infinite; waits for the stream.
template <class T>
void refuse_nonfinite(const T* values, std::int64_t size, Memory& memory, const Call& call) {
  const std::int64_t blocks = std::min(divide_up(size, row_threads), most_finite_blocks);
  const Scratch<std::int32_t> counts(memory, blocks, call);
  launch(call, {.blocks = blocks, .threads = row_threads}, nonfinite_kernel<T>, values, size, counts.get());
  std::vector<std::int32_t> found(static_cast<std::size_t>(blocks));
  check(cudaMemcpyAsync(found.data(), counts.get(), found.size() * sizeof(std::int32_t),
                        cudaMemcpyDeviceToHost, call.stream),
        call);
  check(cudaStreamSynchronize(call.stream), call);
  if (std::any_of(found.begin(), found.end(), [](std::int32_t count) { return count > 0; }))
    throw Error(Exit::numbers, describe(call) + ": the matrix holds NaN or infinity");
}

}  // namespace incipit::device::cuda
