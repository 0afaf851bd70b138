#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda_device.hpp"
#include "launch.cuh"

namespace incipit::device::bench {

/// How far an operation's output may be from the naive one's: ‖ours − naive‖ / ‖naive‖; of integers, the
/// share that differs.
struct Difference {
  double value = 0;
  std::int64_t nonfinite = 0;  ///< of ours: what was never written is NaN
};

/// n values at `from`, device memory. Waits for all operations.
template <class T>
Difference difference(CudaDevice& device, const void* ours, const void* naive, std::int64_t n);

/// What an operation writes.
struct Output {
  void* data = nullptr;
  std::int64_t n = 0;
  std::size_t bytes = 0;
  const void* start = nullptr;  ///< what it held before, where the operation works in place
  double tolerance = 0;
  Difference (*difference)(CudaDevice& device, const void* ours, const void* naive, std::int64_t n) = nullptr;
};

/// Device memory of a bench: random inputs, outputs that begin as NaN. The same calls in the same order hold
/// the same numbers for the same seed, whatever their type.
class Arena {
 public:
  Arena(CudaDevice& device, std::uint64_t seed) : device_(device), seed_(seed) {}

  /// n normal numbers times `scale`, by Box and Muller from a hash of the index, rounded to T.
  template <class T>
  T* normal(std::int64_t n, double scale = 1.0);
  /// n times NaN, or −1.
  template <class T>
  T* poisoned(std::int64_t n);
  template <class T>
  T* upload(const std::vector<T>& values);

  /// A result whose memory is made here.
  template <class T>
  T* output(std::int64_t n, double tolerance) {
    T* data = poisoned<T>(n);
    outputs_.push_back({data, n, static_cast<std::size_t>(n) * sizeof(T), nullptr, tolerance, difference<T>});
    return data;
  }
  /// A result that is made in place of what `data` holds now.
  template <class T>
  T* in_place(T* data, std::int64_t n, double tolerance) {
    outputs_.push_back(
        {data, n, static_cast<std::size_t>(n) * sizeof(T), copy(data, n), tolerance, difference<T>});
    return data;
  }

  [[nodiscard]] const std::vector<Output>& outputs() const { return outputs_; }
  /// Every output as it was at first.
  void restore();
  [[nodiscard]] CudaDevice& device() { return device_; }
  /// What an operation may touch: all but the copies that `restore` needs.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] cuda::Call call(const char* what) const {
    return {.stream = device_.stream(), .operation = what};
  }

 private:
  template <class T>
  T* allocate(std::int64_t n) {
    bytes_ += static_cast<std::size_t>(n) * sizeof(T);
    memory_.emplace_back(device_, static_cast<std::size_t>(n) * sizeof(T));
    return reinterpret_cast<T*>(memory_.back().data());
  }
  template <class T>
  const T* copy(const T* from, std::int64_t n);

  CudaDevice& device_;
  std::uint64_t seed_;
  std::size_t bytes_ = 0;
  std::vector<Buffer<std::byte>> memory_;
  std::vector<Output> outputs_;
};

}  // namespace incipit::device::bench
