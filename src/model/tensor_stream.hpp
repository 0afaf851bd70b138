#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/weights.hpp"
#include "device/device.hpp"

namespace incipit::model {

/// Brings rows of tensors to a device through a small host buffer, so that no tensor is ever in host memory
/// as a whole.
class TensorStream {
 public:
  /// Device and weights must outlive the stream.
  TensorStream(device::Device& device, const checkpoint::Weights& weights);

  /// Rows [first, first + rows) as fp32 to device memory `to`, which holds rows × row_size numbers.
  /// Error(numbers) naming file, tensor and index of the first value that is NaN or infinite; Error(io).
  void read(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows, float* to);

  /// Host bytes a stream takes for rows of `row_size` numbers.
  [[nodiscard]] static std::size_t bytes(std::int64_t row_size);

 private:
  void check(const checkpoint::Tensor& tensor, std::int64_t first, std::span<const float> values) const;

  device::Device& device_;
  const checkpoint::Weights& weights_;
  std::vector<float> values_;
};

}  // namespace incipit::model
