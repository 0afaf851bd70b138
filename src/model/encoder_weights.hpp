#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/encoder_config.hpp"

namespace incipit::model {

/// The weights of one block of a sentence encoder. Matrices are [outputs, inputs], as in the files.
struct EncoderBlock {
  const float* qkv = nullptr;         ///< [3·d, d] queries, keys, values
  const float* qkv_bias = nullptr;    ///< [3·d]
  const float* dense = nullptr;       ///< [d, d]
  const float* dense_bias = nullptr;  ///< [d]
  const float* norm1 = nullptr;       ///< [d] behind attention
  const float* norm1_bias = nullptr;  ///< [d]
  const float* up = nullptr;          ///< [mlp, d]
  const float* up_bias = nullptr;     ///< [mlp]
  const float* down = nullptr;        ///< [d, mlp]
  const float* down_bias = nullptr;   ///< [d]
  const float* norm2 = nullptr;       ///< [d] behind the MLP
  const float* norm2_bias = nullptr;  ///< [d]
};

/// The weights of a sentence encoder in a device's memory, in fp32.
class EncoderWeights {
 public:
  /// Reads BertModel's or MPNetModel's tensors, with or without the prefix `bert.` or `mpnet.`; poolers and
  /// heads of other tasks are passed over. Error data naming all tensors that are missing, have another shape
  /// than config.json asks for, or are too many; Error numbers for a value that is not finite; Error io.
  EncoderWeights(device::Device& device, const checkpoint::Weights& weights, const EncoderConfig& config);

  const float* word = nullptr;           ///< [vocab, d]
  const float* place = nullptr;          ///< [positions, d]
  const float* type = nullptr;           ///< [types, d], of which the first counts; null for MPNet
  const float* norm = nullptr;           ///< [d]
  const float* norm_bias = nullptr;      ///< [d]
  const float* distance_bias = nullptr;  ///< [heads, 2 · longest − 1], MPNet's; null for BERT
  std::vector<EncoderBlock> blocks;

 private:
  /// Takes values over and returns where they are.
  const float* keep(device::Buffer<float> values);

  std::vector<device::Buffer<float>> buffers_;
};

/// The bucket in which MPNet puts a key `distance` tokens behind its query (before it, where negative): one
/// for each of the nearest of either side, then ever wider ones up to a distance of 128 (as T5: Raffel et
/// al., arXiv 1910.10683, in the fp32 of `transformers`).
[[nodiscard]] int64_t distance_bucket(int64_t distance, int64_t buckets);

}  // namespace incipit::model
