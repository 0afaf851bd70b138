#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/shared_parts.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "device/number.hpp"
#include "device/upload_numbers.hpp"
#include "model/block_pass.hpp"

namespace incipit::model {

/// The forward pass of a GPT-NeoX checkpoint up to the residual streams of the last tokens (design §5).
///
/// Semantics are those of Hugging Face's GPTNeoX without dropout: a block adds attention and MLP of its two
/// layer norms to the residual, in parallel or one after the other. The final layer norm and the
/// unembedding are not read.
class Neox {
 public:
  /// `rows` is [probes, d] in host memory: the residual after block `layer` (0: the embedding, before the
  /// final layer norm in any case) at the last token of every probe of every pack, in the packs' order.
  using Sink = std::function<void(int layer, std::span<const float> rows)>;
  /// What the two components of block `layer` added to these rows, [probes, d] each: the differences of the
  /// fp32 residual, so that residuals are their sums to the last bit or two. Zero for layer 0.
  using ComponentSink =
      std::function<void(int layer, std::span<const float> attention, std::span<const float> mlp)>;

  /// What the component of block `layer` (from 1 on) is made to add at the last token of every probe instead
  /// of its own. Tokens before it do not see that token, so all else that changes follows from it.
  struct Replacement {
    int layer;
    Component component;
    std::vector<float> by;  ///< [d]
  };

  /// `precision`: of weights and of what passes between operations (f32, f16, bf16); sums and the residual
  /// stream are fp32 in any case. `shared`: for ranks that run packs of their own through the same
  /// checkpoint; may be null. The device, the weights, the configuration and `shared` must outlive the model.
  /// Throws as checkpoint::check_tensors does; Error(data) for a shape that GPT-NeoX cannot have.
  Neox(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
       device::NumberType precision = device::NumberType::f32, checkpoint::SharedParts* shared = nullptr);

  /// Runs one wave: all packs stay in memory while the weights stream past once, layer ℓ+1 being read by a
  /// second thread while layer ℓ runs. Calls `sink` for each of `layers` (ascending, each within
  /// 0..config.layers) and stops after the last of them, whose block is computed past keys and values for
  /// last tokens only.
  ///
  /// A pack's rows depend on nothing but the pack, the weights and which layer is the last.
  /// Error(numbers) names file, tensor and index of a non-finite weight, or layer and probe of a non-finite
  /// residual; Error(data) a token beyond the vocabulary; Error(io) a file that cannot be read.
  ///
  /// With `components`, which is called right after `sink`, `layers` must be 0, 1, 2, …: without, none of
  /// this is computed. `replaced` must lie within 1..layers.back().
  void run(std::span<const corpus::Pack> packs, std::span<const int> layers, const Sink& sink,
           const ComponentSink& components = {}, std::span<const Replacement> replaced = {});

  /// Bytes of the largest part that ranks share.
  [[nodiscard]] static std::uint64_t largest_part(const checkpoint::Weights& weights,
                                                  const checkpoint::Config& config);
  /// Device and host bytes a run takes whatever the wave holds: two layers and the workspace of a pack of
  /// `pack_tokens`.
  [[nodiscard]] static std::size_t bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens,
                                               device::NumberType precision);
  /// Bytes that a wave of these packs takes beside them; more where components are asked for or replaced.
  [[nodiscard]] static std::size_t bytes_per_wave(const checkpoint::Config& config,
                                                  std::span<const corpus::Pack> packs,
                                                  device::NumberType precision, bool components = false);

 private:
  device::Device& device_;
  const checkpoint::Weights& weights_;
  const checkpoint::Config& config_;
  device::NumberType precision_;
  checkpoint::SharedParts* shared_;
};

}  // namespace incipit::model
