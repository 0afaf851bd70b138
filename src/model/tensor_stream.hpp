#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/shared_parts.hpp"
#include "checkpoint/weights.hpp"
#include "device/device.hpp"

namespace incipit::model {

/// Brings rows of tensors to a device through a small host buffer, so that no tensor is ever in host memory
/// as a whole.
class TensorStream {
 public:
  /// Device, weights and `shared` must outlive the stream. `shared`: what other ranks have read of the same
  /// parts; may be null. `way_out` ends messages: what else to do about weights that cannot be used.
  TensorStream(device::Device& device, const checkpoint::Weights& weights,
               checkpoint::SharedParts* shared = nullptr,
               std::string way_out = "leave this step out with family.steps");

  /// While it lives these pieces are read together with the other ranks, where there are any.
  [[nodiscard]] checkpoint::SharedParts::Part part(std::span<const checkpoint::Piece> pieces) {
    return {shared_, weights_, pieces};
  }

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
  [[nodiscard]] const std::byte* bytes_of_rows(const checkpoint::Tensor& tensor, std::int64_t first,
                                               std::int64_t rows, device::NumberType type);
  void read_chunk(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows,
                  device::NumberType type, void* to);
  [[noreturn]] void refuse(const checkpoint::Tensor& tensor, std::int64_t index,
                           device::NumberType type) const;

  device::Device& device_;
  const checkpoint::Weights& weights_;
  checkpoint::SharedParts* shared_;
  std::string way_out_;
  std::vector<std::byte> bytes_;
};

}  // namespace incipit::model
