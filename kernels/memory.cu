// Device memory, and the way of weights into it: one stream-ordered pool, uploads through pinned memory.

#include <algorithm>
#include <cstring>
#include <utility>

#include "device/device.hpp"
#include "memory.cuh"

namespace incipit::device::cuda {
namespace {

constexpr Call making_memory{.operation = "preparing a CUDA device"};

std::string mebibytes(std::size_t bytes) {
  return std::to_string(bytes >> 20U) + " MiB";
}

}  // namespace

namespace {

/// Device memory for what is on its way, in the order of the copies.
void* allocate_for_copies(std::size_t bytes, cudaStream_t stream, const Call& call) {
  void* memory = nullptr;
  const cudaError_t status = cudaMallocAsync(&memory, bytes, stream);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw OutOfMemory(describe(call) + ": no " + std::to_string(bytes) +
                      " bytes of device memory are left for weights on their way; lower run.memory");
  }
  check(status, call);
  return memory;
}

}  // namespace

Upload::Upload() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), making_memory);
  for (Half& half : halves_)
    check(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming), making_memory);
}

Upload::~Upload() {
  for (const Half& half : halves_) {
    cudaEventDestroy(half.copied);
    if (half.pinned != nullptr) cudaFreeHost(half.pinned);
    if (half.staged != nullptr) cudaFreeAsync(half.staged, stream_);
  }
  if (bad_ != nullptr) cudaFreeAsync(bad_, stream_);
  cudaStreamSynchronize(stream_);
  cudaStreamDestroy(stream_);
}

template <class Arrive>
void Upload::through_halves(const void* host, std::size_t bytes, cudaEvent_t event, const Call& call,
                            const Arrive& arrive) {
  check(cudaStreamWaitEvent(stream_, event, 0), call);
  int turn = 0;
  for (std::size_t done = 0; done < bytes; done += half_bytes, turn ^= 1) {
    Half& half = halves_[turn];
    const std::size_t part = std::min(half_bytes, bytes - done);
    if (half.pinned == nullptr) check(cudaMallocHost(&half.pinned, half_bytes), call);
    check(cudaEventSynchronize(half.copied), call);
    std::memcpy(half.pinned, static_cast<const char*>(host) + done, part);
    arrive(half, done, part);
    check(cudaEventRecord(half.copied, stream_), call);
  }
}

void Upload::copy(void* to, const void* host, std::size_t bytes, cudaEvent_t event, const Call& call) {
  const std::lock_guard lock(mutex_);
  through_halves(host, bytes, event, call, [&](const Half& half, std::size_t offset, std::size_t part) {
    check(
        cudaMemcpyAsync(static_cast<char*>(to) + offset, half.pinned, part, cudaMemcpyHostToDevice, stream_),
        call);
  });
  check(cudaStreamSynchronize(stream_), call);
}

std::int64_t Upload::convert(const void* host, std::size_t bytes, cudaEvent_t event, const Call& call,
                             const Convert& convert) {
  const std::lock_guard lock(mutex_);
  if (bad_ == nullptr)
    bad_ = static_cast<unsigned long long*>(allocate_for_copies(sizeof *bad_, stream_, call));
  check(cudaMemsetAsync(bad_, 0xff, sizeof *bad_, stream_), call);
  through_halves(host, bytes, event, call, [&](Half& half, std::size_t offset, std::size_t part) {
    if (half.staged_bytes < part) {
      if (half.staged != nullptr) check(cudaFreeAsync(std::exchange(half.staged, nullptr), stream_), call);
      half.staged_bytes = 0;
      half.staged = allocate_for_copies(part, stream_, call);
      half.staged_bytes = part;
    }
    check(cudaMemcpyAsync(half.staged, half.pinned, part, cudaMemcpyHostToDevice, stream_), call);
    convert(half.staged, offset, part, bad_);
  });
  unsigned long long bad = 0;
  check(cudaMemcpyAsync(&bad, bad_, sizeof bad, cudaMemcpyDeviceToHost, stream_), call);
  check(cudaStreamSynchronize(stream_), call);
  return static_cast<std::int64_t>(std::min<unsigned long long>(bad, INT64_MAX));
}

Memory::Memory(int ordinal, std::string device)
    : ordinal_(ordinal), device_(std::move(device)), owner_(std::this_thread::get_id()) {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), making_memory);
  check(cudaEventCreateWithFlags(&allocated_, cudaEventDisableTiming), making_memory);
  check(cudaEventCreateWithFlags(&queued_, cudaEventDisableTiming), making_memory);
  check(cudaDeviceGetDefaultMemPool(&pool_, ordinal), making_memory);
  // What is released stays in the pool: the same few sizes come back all the time.
  std::uint64_t everything = UINT64_MAX;
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &everything), making_memory);
}

Memory::~Memory() {
  cudaStreamSynchronize(stream_);
  cudaMemPoolTrimTo(pool_, 0);
  cudaEventDestroy(queued_);
  cudaEventDestroy(allocated_);
  cudaStreamDestroy(stream_);
}

void* Memory::allocate(std::size_t bytes, const Call& call) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  cudaError_t status = cudaMallocAsync(&memory, bytes, stream_);
  if (status == cudaErrorMemoryAllocation) {
    // The pool may hold enough in pieces of other sizes.
    cudaGetLastError();
    check(cudaStreamSynchronize(stream_), call);
    check(cudaMemPoolTrimTo(pool_, 0), call);
    status = cudaMallocAsync(&memory, bytes, stream_);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    cudaMemGetInfo(&free, &total);
    throw OutOfMemory(describe(call) + ": cannot allocate " + std::to_string(bytes) + " bytes on " + device_ +
                      ", of whose " + mebibytes(total) + " " + mebibytes(free) +
                      " are free; lower run.memory or run.pack_tokens, or use more devices");
  }
  check(status, call);
  return memory;
}

void Memory::release(void* memory) noexcept {
  if (memory != nullptr) cudaFreeAsync(memory, stream_);
}

// The pool hands out memory that earlier operations may still use, since its order is that of the stream. A
// copy on another stream has to wait for the place in the order where the memory became its owner's.
void Memory::mark_allocation(const Call& call) {
  check(cudaEventRecord(allocated_, stream_), call);
}

void Memory::upload(void* to, const void* host, std::size_t bytes, const Call& call) {
  if (bytes == 0) return;
  const auto [upload, event] = uploader(call);
  upload->copy(to, host, bytes, event, call);
}

std::pair<Upload*, cudaEvent_t> Memory::uploader(const Call& call) {
  if (std::this_thread::get_id() == owner_) {
    check(cudaEventRecord(queued_, stream_), call);
    return {&own_upload_, queued_};
  }
  // The current device is each thread's own.
  check(cudaSetDevice(ordinal_), call);
  return {&other_upload_, allocated_};
}

}  // namespace incipit::device::cuda
