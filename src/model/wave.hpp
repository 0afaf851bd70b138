#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "model/block_pass.hpp"
#include "model/block_weights.hpp"
#include "model/pack_run.hpp"
#include "model/prefetch.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// What a wave keeps on the device while the weights stream past it: its packs, their workspace and the
/// rotary tables. Everything it is made from must outlive it. T: the numbers of weights and between
/// operations.
template <device::Number T>
class Wave {
 public:
  /// `blocks`: how many blocks will be asked for, in order. `shared`: what other ranks that ask for the same
  /// have read of them; may be null.
  Wave(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
       std::span<const corpus::Pack> packs, std::int64_t blocks, checkpoint::SharedParts* shared = nullptr);

  [[nodiscard]] std::vector<PackRun<T>>& runs() { return runs_; }
  [[nodiscard]] Workspace<T>& workspace() { return workspace_; }
  [[nodiscard]] const RotaryTable& rotary() const { return rotary_; }
  /// Block `block`, in order from 0, valid until the next call. Errors as TensorStream.
  [[nodiscard]] const BlockWeights<T>& block(std::int64_t block) { return blocks_.next(block); }

  /// Embeds the tokens of one pack. Errors as PackRun::embed.
  void embed(PackRun<T>& run);

  /// Device and host bytes a wave takes whatever it holds: two blocks and the workspace of a pack of
  /// `pack_tokens`.
  [[nodiscard]] static std::size_t bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens);
  /// Bytes that these packs take beside them.
  [[nodiscard]] static std::size_t bytes_of(const checkpoint::Config& config,
                                            std::span<const corpus::Pack> packs);

 private:
  const checkpoint::Weights& weights_;
  TensorStream embedding_stream_;
  TensorStream block_stream_;  ///< the reading thread's
  Prefetch<BlockWeights<T>> blocks_;
  RotaryTable rotary_;
  Workspace<T> workspace_;
  std::vector<PackRun<T>> runs_;
};

extern template class Wave<float>;
extern template class Wave<device::Float16>;
extern template class Wave<device::BFloat16>;

/// Bytes of the largest block in the checkpoint's files.
[[nodiscard]] std::uint64_t largest_block(const checkpoint::Weights& weights, std::int64_t blocks);

/// Probes in all packs together.
[[nodiscard]] std::int64_t probes_of(std::span<const corpus::Pack> packs);

}  // namespace incipit::model
