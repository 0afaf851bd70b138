#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/shared_parts.hpp"
#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// What there is in a checkpoint of block `block` (0-based).
[[nodiscard]] std::vector<checkpoint::Piece> pieces_of_block(const checkpoint::Weights& weights,
                                                             std::int64_t block);

/// The weights of one block on a device, to be filled again and again while a checkpoint streams past.
/// Matrices are [outputs, inputs], as in the files, but for the query, key and value weights: the files
/// hold them as [heads, 3, head_size], here all queries come first, then all keys, then all values, so
/// that a product can make some of them only. T: the numbers of matrices.
template <device::Number T>
class BlockWeights {
 public:
  BlockWeights(device::Device& device, const checkpoint::Config& config);

  /// Reads block `block` (0-based) of the checkpoint. Errors as TensorStream.
  void read(TensorStream& stream, const checkpoint::Weights& weights, std::int64_t block);

  /// Device bytes of one block.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config);

  float* norm1 = nullptr;       ///< [d] before attention
  float* norm1_bias = nullptr;  ///< [d]
  float* norm2 = nullptr;       ///< [d] before the MLP
  float* norm2_bias = nullptr;  ///< [d]
  T* qkv = nullptr;             ///< [3·d, d]
  float* qkv_bias = nullptr;    ///< [3·d] or null
  T* dense = nullptr;           ///< [d, d]
  float* dense_bias = nullptr;  ///< [d] or null
  T* up = nullptr;              ///< [mlp, d]
  float* up_bias = nullptr;     ///< [mlp]
  T* down = nullptr;            ///< [d, mlp]
  float* down_bias = nullptr;   ///< [d]

 private:
  template <device::Number N>
  void read_by_head(TensorStream& stream, const checkpoint::Tensor& tensor, N* to) const;

  std::int64_t heads_;
  std::int64_t head_size_;
  device::Buffer<T> matrices_;
  device::Buffer<float> vectors_;
};

extern template class BlockWeights<float>;
extern template class BlockWeights<device::Float16>;
extern template class BlockWeights<device::BFloat16>;

}  // namespace incipit::model
