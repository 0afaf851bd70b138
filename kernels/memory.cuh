#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "launch.cuh"

namespace incipit::device::cuda {

/// A stream of copies to the device through pinned memory: while one half is on its way, the other is filled.
class Upload {
 public:
  Upload();
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  [[nodiscard]] cudaStream_t stream() const { return stream_; }

  /// Done on return; begins after `event`.
  void copy(void* to, const void* host, std::size_t bytes, cudaEvent_t event, const Call& call);

  /// Queues what takes a part of the bytes, now on the device, where it belongs: `bad` takes the index of the
  /// first number that is not finite.
  using Convert =
      std::function<void(const void* part, std::size_t offset, std::size_t bytes, unsigned long long* bad)>;
  /// Brings the bytes to the device in parts and converts them there. Done on return; begins after `event`.
  /// Returns that first index, or one beyond all of them.
  std::int64_t convert(const void* host, std::size_t bytes, cudaEvent_t event, const Call& call,
                       const Convert& convert);

 private:
  static constexpr std::size_t half_bytes = std::size_t{8} << 20U;

  struct Half {
    void* pinned = nullptr;  ///< from the first copy on
    void* staged = nullptr;  ///< on the device: as much as conversions have needed
    std::size_t staged_bytes = 0;
    cudaEvent_t copied = nullptr;
  };
  /// Fills one half after the other and calls arrive(half, offset, bytes), which queues what empties it.
  template <class Arrive>
  void through_halves(const void* host, std::size_t bytes, cudaEvent_t event, const Call& call,
                      const Arrive& arrive);

  std::mutex mutex_;
  cudaStream_t stream_ = nullptr;
  Half halves_[2];
  unsigned long long* bad_ = nullptr;  ///< on the device, from the first conversion on
};

/// A device's memory: the driver's pool, in the order of one stream.
class Memory {
 public:
  Memory(int ordinal, std::string device);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] void* allocate(std::size_t bytes, const Call& call);
  void release(void* memory) noexcept;
  void upload(void* to, const void* host, std::size_t bytes, const Call& call);
  /// What copies for this thread, and the place in the stream's order after which it may begin.
  [[nodiscard]] std::pair<Upload*, cudaEvent_t> uploader(const Call& call);
  /// Later uploads from other threads begin after all that is in the stream now.
  void mark_allocation(const Call& call);

 private:
  int ordinal_;
  std::string device_;
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  cudaEvent_t allocated_ = nullptr;  ///< the last allocation's place in the stream
  cudaEvent_t queued_ = nullptr;     ///< where the owner's upload begins
  std::thread::id owner_;
  Upload own_upload_, other_upload_;
};

/// Memory that an operation needs while its kernels run.
template <class T>
class Scratch {
 public:
  Scratch(Memory& memory, std::int64_t size, const Call& call)
      : memory_(memory),
        data_(static_cast<T*>(memory.allocate(static_cast<std::size_t>(size) * sizeof(T), call))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { memory_.release(data_); }

  [[nodiscard]] T* get() const { return data_; }

 private:
  Memory& memory_;
  T* data_;
};

}  // namespace incipit::device::cuda
