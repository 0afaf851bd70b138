#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/shared_parts.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "device/number.hpp"
#include "device/upload_numbers.hpp"

namespace incipit::model {

/// The next-token losses of texts under a GPT-NeoX checkpoint: all blocks on all tokens, the final layer norm
/// and the unembedding (the embedding again where the configuration ties them). Semantics as those of Neox.
///
/// Matrices are streamed: blocks as in Neox, then the unembedding in blocks of rows, so that neither it nor
/// the logits of a pack are ever whole in memory.
class NextToken {
 public:
  /// `precision` and `shared` as in Neox; logits are fp32. The device, the weights, the configuration and
  /// `shared` must outlive the object. Throws as checkpoint::check_tensors does, final norm and unembedding
  /// being needed.
  NextToken(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
            device::NumberType precision = device::NumberType::f32,
            checkpoint::SharedParts* shared = nullptr);

  /// The loss of one probe: Σ −ln p(token | the tokens before it) over all its tokens but the first.
  struct Loss {
    double sum = 0;              ///< nats
    std::int64_t predicted = 0;  ///< tokens in the sum
  };

  /// Runs one wave and returns the losses of its probes, in the packs' order. A probe's loss depends on
  /// nothing but its pack and the weights. Errors as Neox::run; Error(numbers) names probe and token where
  /// logits are not finite.
  [[nodiscard]] std::vector<Loss> run(std::span<const corpus::Pack> packs);

  /// All logits of a pack, [tokens, vocabulary], for comparison with references. Errors as Neox::run.
  [[nodiscard]] std::vector<float> logits(const corpus::Pack& pack);

  /// Bytes of the largest part that ranks share.
  [[nodiscard]] static std::uint64_t largest_part(const checkpoint::Weights& weights,
                                                  const checkpoint::Config& config);
  /// Device and host bytes a run takes whatever the wave holds, with packs of `pack_tokens`.
  [[nodiscard]] static std::size_t bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens,
                                               device::NumberType precision);
  /// Bytes that a wave of these packs takes beside them.
  [[nodiscard]] static std::size_t bytes_per_wave(const checkpoint::Config& config,
                                                  std::span<const corpus::Pack> packs,
                                                  device::NumberType precision);

 private:
  template <class Take>
  void forward(std::span<const corpus::Pack> packs, Take&& take);
  template <device::Number T, class Take>
  void forward_in(std::span<const corpus::Pack> packs, Take&& take);

  device::Device& device_;
  const checkpoint::Weights& weights_;
  const checkpoint::Config& config_;
  device::NumberType precision_;
  checkpoint::SharedParts* shared_;
};

}  // namespace incipit::model
