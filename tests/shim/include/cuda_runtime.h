#pragma once

// What the kernels use of CUDA's language and runtime, for the host's compiler. Names are CUDA's own, so that
// the sources of kernels/ are compiled as they stand; see kernels/README.md.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <tuple>
#include <type_traits>

#include "block.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

using uint3 = incipit::shim::Index;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

inline constinit thread_local uint3 threadIdx{}, blockIdx{};
inline constinit thread_local dim3 blockDim{}, gridDim{};

// ---- what threads do together

inline void __syncthreads(std::source_location where = std::source_location::current()) {
  incipit::shim::Block::current().barrier(where);
}

inline void __syncwarp(unsigned mask = 0xffffffffU,
                       std::source_location where = std::source_location::current()) {
  incipit::shim::Block::current().collective(
      {.kind = incipit::shim::Collective::syncwarp, .mask = mask, .where = where});
}

namespace incipit::shim {

template <class T>
T shuffle(unsigned mask, T value, int source, std::source_location where) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = Block::current().collective(
      {.kind = Collective::shuffle, .mask = mask, .source = source, .value = bits, .where = where});
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace incipit::shim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              std::source_location where = std::source_location::current()) {
  const int lane = incipit::shim::Block::current().lane();
  return incipit::shim::shuffle(mask, value, (lane & ~(width - 1)) + (source & (width - 1)), where);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  std::source_location where = std::source_location::current()) {
  const int lane = incipit::shim::Block::current().lane();
  const int source = lane ^ bits;
  return incipit::shim::shuffle(mask, value, (source & ~(width - 1)) > lane ? lane : source, where);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   std::source_location where = std::source_location::current()) {
  const int lane = incipit::shim::Block::current().lane();
  const int source = lane + static_cast<int>(delta);
  return incipit::shim::shuffle(mask, value, (source & ~(width - 1)) != (lane & ~(width - 1)) ? lane : source,
                                where);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 std::source_location where = std::source_location::current()) {
  const int lane = incipit::shim::Block::current().lane();
  const int source = lane - static_cast<int>(delta);
  return incipit::shim::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source, where);
}

inline unsigned __ballot_sync(unsigned mask, bool vote,
                              std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(incipit::shim::Block::current().collective(
      {.kind = incipit::shim::Collective::ballot, .mask = mask, .value = vote ? 1U : 0U, .where = where}));
}

inline bool __any_sync(unsigned mask, bool vote,
                       std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, vote, where) != 0;
}

inline bool __all_sync(unsigned mask, bool vote,
                       std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, vote, where) == mask;
}

// Blocks run one after the other and threads of a block in turns, so plain additions are atomic. There is
// none for floating point on purpose: its result would depend on the order.
template <class T>
requires std::is_integral_v<T> T atomicAdd(T* address, T value) {
  const T before = *address;
  *address += value;
  return before;
}
template <class T>
requires std::is_integral_v<T> T atomicMin(T* address, T value) {
  const T before = *address;
  *address = std::min(before, value);
  return before;
}

// ---- arithmetic

inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline long long __double_as_longlong(double x) {
  return std::bit_cast<long long>(x);
}
inline float normcdff(float x) {
  return static_cast<float>(0.5 * std::erfc(-0.70710678118654752440 * static_cast<double>(x)));
}

// ---- the runtime

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
};

struct CUstream_st;
struct CUevent_st;
struct CUmemPoolHandle_st;
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;
using cudaMemPool_t = CUmemPoolHandle_st*;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrMemoryPoolsSupported = 115
};
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDefault = 0;
inline constexpr unsigned cudaEventDisableTiming = 2;

struct cudaUUID_t {
  char bytes[16];
};
struct cudaDeviceProp {
  char name[256];
  cudaUUID_t uuid;
  std::size_t totalGlobalMem;
  int major, minor;
};

struct cudaLaunchAttribute {};
struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t keep);
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);

namespace incipit::shim {

/// How reports call the kernel that is launched next on this host thread.
void name_next_kernel(const char* name);
cudaError_t set_dynamic_shared_limit(const void* kernel, std::size_t bytes);
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, void (*body)(void*), void* argument);

}  // namespace incipit::shim

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute /*attribute*/, int value) {
  return incipit::shim::set_dynamic_shared_limit(reinterpret_cast<const void*>(kernel),
                                                 static_cast<std::size_t>(value));
}

/// Throws incipit::shim::Violation where the kernel does what it must not.
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  struct Body {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> values;
  } body{kernel, {static_cast<Parameters>(arguments)...}};
  return incipit::shim::launch(
      *config, reinterpret_cast<const void*>(kernel),
      [](void* pointer) {
        auto* self = static_cast<Body*>(pointer);
        std::apply(self->kernel, self->values);
      },
      &body);
}
