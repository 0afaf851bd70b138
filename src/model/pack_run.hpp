#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "model/block_weights.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// Cosines and sines of the rotary embedding for positions 0..positions−1, each [positions, rotary_dims / 2].
/// The angle is position · base^(−2j/rotary_dims) in fp32, as Hugging Face's GPTNeoX makes it.
struct RotaryTable {
  RotaryTable(device::Device& device, const checkpoint::Config& config, std::int64_t positions);

  device::Buffer<float> cos;
  device::Buffer<float> sin;
};

/// Scratch for one pack at a time; every pack of a wave uses the same.
struct Workspace {
  Workspace(device::Device& device, const checkpoint::Config& config, std::span<const corpus::Pack> packs);

  /// Device bytes for packs of at most `tokens` tokens.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, std::int64_t tokens);

  device::Buffer<float> a;             ///< [tokens, d]
  device::Buffer<float> b;             ///< [tokens, d]
  device::Buffer<float> wide;          ///< [tokens, max(4·d, mlp)]
  device::Buffer<float> last;          ///< [probes, d]
  device::Buffer<std::int32_t> flags;  ///< [probes]
};

/// What a pack keeps on the device during a wave: its residual stream and where its tokens stand.
class PackRun {
 public:
  PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack);

  /// Fills the residual with the embeddings of the tokens; only the rows of tokens that occur are read.
  /// Error(data) for a token that is not in the vocabulary.
  void embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace& workspace);

  /// Runs a block on all tokens.
  void run(const BlockWeights& weights, const RotaryTable& rotary, Workspace& workspace);
  /// Runs a block, past its keys and values for the last tokens only; leaves their residual in
  /// `workspace.last`. The pack's own residual is then of no more use.
  void run_last(const BlockWeights& weights, const RotaryTable& rotary, Workspace& workspace);
  /// Copies the residual at the last tokens to `workspace.last`.
  void gather_last(Workspace& workspace);

  /// Puts the layer norm of every token's residual in its place.
  void norm_all(const float* weight, const float* bias);
  /// out[tokens, outputs] = residual · weightᵀ, weight being [outputs, d].
  void project(const float* weight, std::int64_t outputs, float* out);

  [[nodiscard]] std::int64_t probes() const { return static_cast<std::int64_t>(pack_.probes.size()); }
  [[nodiscard]] const corpus::Pack& pack() const { return pack_; }

  /// Device bytes of one pack.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, const corpus::Pack& pack);

 private:
  /// The rows that go through a block as a whole: all tokens, or the last ones.
  struct Rows {
    std::int64_t count;
    float* x;                      ///< [count, d] residual
    const std::int32_t* starts;    ///< [probes + 1]
    const std::int32_t* position;  ///< [count]
  };

  void norms(const BlockWeights& weights, const Rows& rows, Workspace& workspace);
  void mlp(const BlockWeights& weights, const Rows& rows, Workspace& workspace);
  void attend(const BlockWeights& weights, const Rows& rows, const float* k, const float* v,
              Workspace& workspace);
  void norm(const float* weight, const float* bias, const Rows& rows, float* out);
  void product(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const float* in,
               const float* weight, float* out, float beta);
  [[nodiscard]] device::RotarySplit<float> split(const RotaryTable& rotary, const Rows& rows, const float* in,
                                                 const float* bias) const;
  [[nodiscard]] Rows all_rows();
  [[nodiscard]] Rows last_rows(Workspace& workspace);

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

}  // namespace incipit::model
