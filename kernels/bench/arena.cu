// Random inputs and comparisons, made on the device: what a bench of real shapes reads does not pass through
// the host.

#include <cmath>

#include "arena.hpp"
#include "launch.cuh"
#include "number.cuh"
#include "reduce.cuh"

namespace incipit::device::bench {
namespace {

using namespace cuda;

constexpr int arena_threads = 256;
constexpr std::int64_t most_arena_blocks = 4096;

Grid over(std::int64_t n) {
  const std::int64_t blocks = divide_up(n, arena_threads);
  return {.blocks = blocks < most_arena_blocks ? blocks : most_arena_blocks, .threads = arena_threads};
}

/// SplitMix64's finalizer: 64 bits that look random, of any number.
__device__ __forceinline__ std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

template <class T>
__device__ __forceinline__ T rounded(float x) {
  if constexpr (Number<T>) {
    return narrow<T>(x);
  } else {
    return static_cast<T>(x);
  }
}
template <class T>
__device__ __forceinline__ double exact(T x) {
  if constexpr (Number<T>) {
    return static_cast<double>(widen(x));
  } else {
    return static_cast<double>(x);
  }
}

template <class T>
__global__ void fill_normal_kernel(T* out, std::int64_t n, std::uint64_t seed, float scale) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    const std::uint64_t bits = scramble(seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15U);
    // In (0, 1] and [0, 1), 24 bits each.
    const float u = static_cast<float>((bits >> 40U) + 1) * 0x1p-24F;
    const float v = static_cast<float>(bits & 0xffffffU) * 0x1p-24F;
    out[i] = rounded<T>(scale * sqrtf(-2.0F * logf(u)) * cosf(6.2831853F * v));
  }
}

/// Of one block: Σ (ours − naive)², Σ naive², how many of ours are not finite.
struct Sums {
  double error;
  double norm;
  double nonfinite;
};

template <class T>
__global__ void difference_kernel(const T* ours, const T* naive, std::int64_t n, Sums* out) {
  double error = 0;
  double norm = 0;
  double bad = 0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    if constexpr (std::is_integral_v<T>) {
      error += ours[i] == naive[i] ? 0 : 1;
      norm += 1;
    } else {
      const double a = exact(ours[i]);
      const double b = exact(naive[i]);
      error += (a - b) * (a - b);
      norm += b * b;
      bad += a - a == 0 ? 0 : 1;
    }
  }
  const Sums sums{block_sum(error), block_sum(norm), block_sum(bad)};
  if (threadIdx.x == 0) out[blockIdx.x] = sums;
}

}  // namespace

template <class T>
Difference difference(CudaDevice& device, const void* ours, const void* naive, std::int64_t n) {
  const Call call{.stream = device.stream(), .operation = "difference"};
  const Grid grid = over(n);
  Buffer<Sums> partial(device, static_cast<std::size_t>(grid.blocks));
  launch(call, grid, difference_kernel<T>, static_cast<const T*>(ours), static_cast<const T*>(naive), n,
         partial.data());
  Sums all{};
  for (const Sums& sums : partial.download()) {
    all.error += sums.error;
    all.norm += sums.norm;
    all.nonfinite += sums.nonfinite;
  }
  // Integers count what differs; where everything is zero, so must be what is compared.
  const double share = all.error == 0 ? 0 : all.error / all.norm;
  return {.value = std::is_integral_v<T> ? share : std::sqrt(share),
          .nonfinite = static_cast<std::int64_t>(all.nonfinite)};
}

template <class T>
T* Arena::normal(std::int64_t n, double scale) {
  T* data = allocate<T>(n);
  // Streams of different arrays are far apart, those of the same array in another arena too.
  seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
  launch(call("random numbers"), over(n), fill_normal_kernel<T>, data, n, seed_, static_cast<float>(scale));
  return data;
}

template <class T>
T* Arena::poisoned(std::int64_t n) {
  T* data = allocate<T>(n);
  check(cudaMemsetAsync(data, 0xff, static_cast<std::size_t>(n) * sizeof(T), device_.stream()),
        call("poison"));
  return data;
}

template <class T>
T* Arena::upload(const std::vector<T>& values) {
  T* data = allocate<T>(static_cast<std::int64_t>(values.size()));
  device_.upload(data, values.data(), values.size() * sizeof(T));
  return data;
}

template <class T>
const T* Arena::copy(const T* from, std::int64_t n) {
  T* data = allocate<T>(n);
  bytes_ -= static_cast<std::size_t>(n) * sizeof(T);
  check(cudaMemcpyAsync(data, from, static_cast<std::size_t>(n) * sizeof(T), cudaMemcpyDeviceToDevice,
                        device_.stream()),
        call("copy"));
  return data;
}

void Arena::restore() {
  for (const Output& output : outputs_) {
    if (output.start == nullptr) {
      check(cudaMemsetAsync(output.data, 0xff, output.bytes, device_.stream()), call("poison"));
    } else {
      check(cudaMemcpyAsync(output.data, output.start, output.bytes, cudaMemcpyDeviceToDevice,
                            device_.stream()),
            call("restore"));
    }
  }
}

template Difference difference<float>(CudaDevice&, const void*, const void*, std::int64_t);
template Difference difference<BFloat16>(CudaDevice&, const void*, const void*, std::int64_t);
template Difference difference<double>(CudaDevice&, const void*, const void*, std::int64_t);
template Difference difference<std::int32_t>(CudaDevice&, const void*, const void*, std::int64_t);
template Difference difference<std::int64_t>(CudaDevice&, const void*, const void*, std::int64_t);
template float* Arena::normal<float>(std::int64_t, double);
template BFloat16* Arena::normal<BFloat16>(std::int64_t, double);
template double* Arena::normal<double>(std::int64_t, double);
template float* Arena::poisoned<float>(std::int64_t);
template BFloat16* Arena::poisoned<BFloat16>(std::int64_t);
template double* Arena::poisoned<double>(std::int64_t);
template std::int32_t* Arena::poisoned<std::int32_t>(std::int64_t);
template std::int64_t* Arena::poisoned<std::int64_t>(std::int64_t);
template float* Arena::upload<float>(const std::vector<float>&);
template double* Arena::upload<double>(const std::vector<double>&);
template std::int32_t* Arena::upload<std::int32_t>(const std::vector<std::int32_t>&);
template std::int64_t* Arena::upload<std::int64_t>(const std::vector<std::int64_t>&);
template const float* Arena::copy<float>(const float*, std::int64_t);
template const BFloat16* Arena::copy<BFloat16>(const BFloat16*, std::int64_t);
template const std::int64_t* Arena::copy<std::int64_t>(const std::int64_t*, std::int64_t);

}  // namespace incipit::device::bench
