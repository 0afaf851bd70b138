#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "block.hpp"
#include "cuda_runtime.h"

namespace {

/// A number of the environment, so that whole programs can be run on other machines than this one.
std::size_t number(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

int devices() {
  return static_cast<int>(number("INCIPIT_SHIM_DEVICES", 1));
}
/// Bytes of a device: what a real one would have; more cannot be had, whatever the machine holds.
std::size_t device_bytes() {
  return number("INCIPIT_SHIM_MEMORY", std::size_t{1} << 36U);
}

/// What of it is in use.
struct Allocations {
  std::mutex mutex;
  std::map<void*, std::size_t> sizes;
  std::size_t total = 0;
};

Allocations& allocations() {
  static Allocations all;
  return all;
}

/// Device memory holds this before it is written: NaN as any floating-point number, −1 as any integer.
constexpr int unwritten = 0xff;
/// cudaMallocAsync's own alignment.
constexpr std::size_t alignment = 256;

thread_local const char* next_kernel = "of no name";

struct Limits {
  std::mutex mutex;
  std::map<const void*, std::size_t> dynamic_shared;
};

Limits& limits() {
  static Limits all;
  return all;
}

std::size_t dynamic_limit(const void* kernel) {
  const std::lock_guard lock(limits().mutex);
  const auto found = limits().dynamic_shared.find(kernel);
  return found == limits().dynamic_shared.end() ? std::size_t{48} << 10U : found->second;
}

bool possible(const cudaLaunchConfig_t& config) {
  const dim3& grid = config.gridDim;
  const dim3& block = config.blockDim;
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  return grid.x > 0 && grid.x <= 0x7fffffffU && grid.y > 0 && grid.y <= 65535 && grid.z > 0 &&
         grid.z <= 65535 && threads > 0 && threads <= 1024 && block.z <= 64;
}

}  // namespace

namespace incipit::shim {

void name_next_kernel(const char* name) {
  next_kernel = name;
}

cudaError_t set_dynamic_shared_limit(const void* kernel, std::size_t bytes) {
  if (bytes > std::size_t{227} << 10U) return cudaErrorInvalidValue;
  const std::lock_guard lock(limits().mutex);
  limits().dynamic_shared[kernel] = bytes;
  return cudaSuccess;
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, void (*body)(void*),
                   void* argument) {
  if (!possible(config)) return cudaErrorInvalidConfiguration;
  if (config.dynamicSmemBytes > dynamic_limit(kernel)) return cudaErrorInvalidValue;
  thread_local std::vector<std::unique_ptr<Fiber>> fibers;
  gridDim = config.gridDim;
  blockDim = config.blockDim;
  const Index threads{config.blockDim.x, config.blockDim.y, config.blockDim.z};
  for (unsigned z = 0; z < config.gridDim.z; ++z) {
    for (unsigned y = 0; y < config.gridDim.y; ++y) {
      for (unsigned x = 0; x < config.gridDim.x; ++x) {
        Block(next_kernel, {x, y, z}, threads, config.dynamicSmemBytes, fibers).run(body, argument);
      }
    }
  }
  return cudaSuccess;
}

}  // namespace incipit::shim

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    default:
      return "invalid argument";
  }
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  if (number("INCIPIT_SHIM_DRIVER", 13000) < 13000) return cudaErrorInsufficientDriver;
  *count = devices();
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  return device < devices() ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device >= devices()) return cudaErrorInvalidDevice;
  *properties = {};
  properties->uuid.bytes[0] = static_cast<char>(device);
  properties->totalGlobalMem = device_bytes();
  std::strcpy(properties->name, "the kernels on the host");
  properties->major = 9;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? 4 : 1;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = static_cast<int>(number("INCIPIT_SHIM_DRIVER", 13000));
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(allocations().mutex);
  *total = device_bytes();
  *free = *total - std::min(*total, allocations().total);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int /*device*/) {
  *pool = nullptr;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr /*attribute*/, void* /*value*/) {
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t /*pool*/, std::size_t /*keep*/) {
  return cudaSuccess;
}

// Not a byte more than asked for, so that the address sanitizer sees the first one beyond.
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t /*stream*/) {
  const std::lock_guard lock(allocations().mutex);
  if (allocations().total + bytes > device_bytes() || posix_memalign(memory, alignment, bytes) != 0)
    return cudaErrorMemoryAllocation;
  std::memset(*memory, unwritten, bytes);
  allocations().sizes[*memory] = bytes;
  allocations().total += bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* memory, cudaStream_t /*stream*/) {
  const std::lock_guard lock(allocations().mutex);
  const auto found = allocations().sizes.find(memory);
  if (found != allocations().sizes.end()) {
    allocations().total -= found->second;
    allocations().sizes.erase(found);
  }
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return posix_memalign(memory, alignment, bytes) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t /*stream*/) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t /*stream*/) {
  std::memset(memory, value, bytes);
  return cudaSuccess;
}

// Work is done when its call returns: streams have no state and events nothing to wait for. Events remember
// the host's clock.
struct CUevent_st {
  std::chrono::steady_clock::time_point recorded;
};

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  *stream = nullptr;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t /*stream*/) {
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t /*stream*/) {
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t /*stream*/, cudaEvent_t /*event*/, unsigned /*flags*/) {
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t /*stream*/) {
  event->recorded = std::chrono::steady_clock::now();
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t /*event*/) {
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->recorded - begin->recorded).count();
  return cudaSuccess;
}
