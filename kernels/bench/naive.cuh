#pragma once

#include <cstdint>

#include "launch.cuh"

/// What naive kernels share.
namespace incipit::device::bench::naive {

inline constexpr int naive_threads = 256;

/// A thread for each of n.
inline cuda::Grid one_each(std::int64_t n) {
  return {.blocks = cuda::divide_up(n, naive_threads), .threads = naive_threads};
}

__device__ __forceinline__ std::int64_t my_number() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Memory for the time of a call.
template <class T>
class Temporary {
 public:
  Temporary(const cuda::Call& call, std::int64_t n) : call_(call) {
    void* memory = nullptr;
    cuda::check(cudaMallocAsync(&memory, static_cast<std::size_t>(n) * sizeof(T), call.stream), call);
    data_ = static_cast<T*>(memory);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { cudaFreeAsync(data_, call_.stream); }

  [[nodiscard]] T* get() const { return data_; }

 private:
  const cuda::Call& call_;
  T* data_ = nullptr;
};

}  // namespace incipit::device::bench::naive
