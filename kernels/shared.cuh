#pragma once

#include "pack.cuh"

/// Shared memory is reached through these names alone: here they are bare pointers; the host's shim checks
/// every access (tests/shim/include/shared_memory.hpp).
#ifdef INCIPIT_SHIM
#include "shared_memory.hpp"
#else

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace incipit::device::cuda {

template <class T>
using Shared = T*;

/// An array of a size known when compiling; Tag tells arrays of the same type and size apart.
template <class Tag, class T, int size>
__device__ __forceinline__ Shared<T> shared_array() {
  __shared__ alignas(16) T memory[size];
  return memory;
}

/// `size` T from byte `offset` on of what the launch asked for.
template <class T>
__device__ __forceinline__ Shared<T> dynamic_shared(std::size_t offset, std::size_t /*size*/) {
  extern __shared__ float4 incipit_dynamic_shared[];
  return reinterpret_cast<T*>(reinterpret_cast<char*>(incipit_dynamic_shared) + offset);
}

__device__ __forceinline__ int atomic_add(Shared<int> counters, std::int64_t i, int value) {
  return atomicAdd(counters + i, value);
}

}  // namespace incipit::device::cuda

#endif
