#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/encoder_config.hpp"
#include "model/encoder_weights.hpp"

namespace incipit::model {

/// What a text's embedding is made of: the mean of its tokens' last hidden states, the first of them, or the
/// largest of each column.
enum class Pooling { mean, first, max };

/// The forward pass of a sentence encoder, in fp32, with the weights resident on the device.
///
/// Semantics are those of Hugging Face's BertModel and MPNetModel without dropout and without pooler: after
/// the layer norm of the embeddings, each block adds attention over the whole text and an MLP with the exact
/// GELU to the hidden state, with a layer norm behind either.
class TextEncoder {
 public:
  /// The device must outlive the encoder. Errors as EncoderWeights.
  TextEncoder(device::Device& device, const checkpoint::Weights& weights, const EncoderConfig& config);

  /// Token ids with special tokens, one list per text, in any order; row i of the result, [texts, d], is text
  /// i's pooled last hidden state, not normalised. Texts are sorted by length and run without padding, in
  /// packs of at most `pack_tokens` tokens, or of one text where that is longer; equal texts run once. The
  /// bytes are a function of the set of texts: neither order nor repetition matters, which others there are
  /// at most in the last bits. Error data for a text without tokens, one longer than config.longest(), or a
  /// token beyond the vocabulary; Error numbers for an embedding that is not finite. Texts are counted from 0
  /// in messages.
  [[nodiscard]] std::vector<float> embed(std::span<const std::vector<std::int32_t>> texts, Pooling pooling,
                                         std::int64_t pack_tokens);

 private:
  void check(std::span<const std::vector<std::int32_t>> texts) const;
  void check_finite(std::span<const float> row, std::size_t text) const;

  device::Device& device_;
  EncoderConfig config_;
  std::string where_;  ///< the folder, for messages
  EncoderWeights weights_;
};

}  // namespace incipit::model
