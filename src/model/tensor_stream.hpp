#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/weights.hpp"
#include "device/device.hpp"

namespace incipit::model {

/// Brings rows of tensors to a device through a small host buffer, so that no tensor is ever in host memory
/// as a whole.
class TensorStream {
 public:
  /// Device and weights must outlive the stream. `way_out` ends messages: what else to do about weights that
  /// cannot be used.
  TensorStream(device::Device& device, const checkpoint::Weights& weights,
               std::string way_out = "leave this step out with family.steps");

  /// Rows [first, first + rows) to device memory `to`, which holds rows × row_size numbers; the device
  /// converts them. Error(numbers) naming file, tensor and index of the first value that is NaN, infinite, or
  /// more than T holds; Error(io).
  template <device::Number T>
  void read(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows, T* to) {
    for (std::int64_t row = 0; row < rows; row += chunk_rows(tensor.row_size())) {
      const std::int64_t count = std::min(chunk_rows(tensor.row_size()), rows - row);
      read_chunk(tensor, first + row, count, device::number_type<T>, to + row * tensor.row_size());
    }
  }

  /// Host bytes a stream takes for rows of `row_size` numbers.
  [[nodiscard]] static std::size_t bytes(std::int64_t row_size);

 private:
  [[nodiscard]] std::int64_t chunk_rows(std::int64_t row_size) const;
  void read_chunk(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows,
                  device::NumberType type, void* to);
  [[noreturn]] void refuse(const checkpoint::Tensor& tensor, std::int64_t index,
                           device::NumberType type) const;

  device::Device& device_;
  const checkpoint::Weights& weights_;
  std::string way_out_;
  std::vector<std::byte> bytes_;
};

}  // namespace incipit::model
