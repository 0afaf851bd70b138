#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "model/block_pass.hpp"
#include "model/block_weights.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// What a pack keeps on the device during a wave: its residual stream, in fp32 whatever T, and where its
/// tokens stand.
template <device::Number T>
class PackRun {
 public:
  PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack);

  /// Fills the residual with the embeddings of the tokens; only the rows of tokens that occur are read.
  /// Error(data) for a token that is not in the vocabulary.
  void embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace);

  /// Runs a block on all tokens. Its keys and values stay in `kept`, where that is given. `watch`: of the
  /// pack's residual; may be null.
  void run(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
           const KeptKeys<T>& kept = {}, ComponentWatch* watch = nullptr);
  /// Runs a block, past its keys and values for the last tokens only; leaves their residual in `last`,
  /// [probes, d]. The pack's own residual is then of no more use. `watch`: of `last`; may be null.
  void run_last(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
                float* last, const KeptKeys<T>& kept = {}, ComponentWatch* watch = nullptr);
  /// Copies the residual at the last tokens to `last`, [probes, d].
  void gather_last(float* last);
  /// The reverse: `last`, [probes, d], becomes the residual at the last tokens. Takes another residual's room
  /// while it works.
  void put_last(const float* last);
  /// Copies a row for each probe, [probes, d].
  void copy_last(const float* from, float* to);

  /// Puts the layer norm of every token's residual into workspace.a.
  void norm_all(const float* weight, const float* bias, Workspace<T>& workspace);

  [[nodiscard]] std::int64_t probes() const { return static_cast<std::int64_t>(pack_.probes.size()); }
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(pack_.tokens.size()); }
  [[nodiscard]] const corpus::Pack& pack() const { return pack_; }

  /// Device bytes of one pack.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, const corpus::Pack& pack);

 private:
  [[nodiscard]] PassRows all_rows();
  [[nodiscard]] PassRows last_rows(float* last);
  [[nodiscard]] PassKeys<T> keys(const KeptKeys<T>& kept) const;

  device::Device& device_;
  const checkpoint::Config& config_;
  const corpus::Pack& pack_;
  std::int64_t longest_ = 0;
  device::Buffer<float> x_;                     ///< [tokens, d] residual
  device::Buffer<std::int32_t> position_;       ///< [tokens]
  device::Buffer<std::int32_t> starts_;         ///< [probes + 1]
  device::Buffer<std::int32_t> last_;           ///< [probes] row of the last token
  device::Buffer<std::int32_t> last_position_;  ///< [probes]
  device::Buffer<std::int32_t> one_each_;       ///< [probes + 1] 0, 1, 2, …
};

/// Tokens of the longest pack.
[[nodiscard]] std::int64_t most_tokens(std::span<const corpus::Pack> packs);

extern template class PackRun<float>;
extern template class PackRun<device::Float16>;
extern template class PackRun<device::BFloat16>;

}  // namespace incipit::model
