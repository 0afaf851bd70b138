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

/// Scratch for one pack at a time; every pack of a wave uses the same. T: the numbers between operations.
template <device::Number T>
struct Workspace {
  Workspace(device::Device& device, const checkpoint::Config& config, std::span<const corpus::Pack> packs);

  /// Device bytes for packs of at most `tokens` tokens.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, std::int64_t tokens);

  device::Buffer<T> a;     ///< [tokens, d]
  device::Buffer<T> b;     ///< [tokens, d]
  device::Buffer<T> wide;  ///< [tokens, max(4·d, mlp)]
};

/// What a pack keeps on the device during a wave: its residual stream, in fp32 whatever T, and where its
/// tokens stand.
template <device::Number T>
class PackRun {
 public:
  PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack);

  /// Fills the residual with the embeddings of the tokens; only the rows of tokens that occur are read.
  /// Error(data) for a token that is not in the vocabulary.
  void embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace);

  /// Runs a block on all tokens.
  void run(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace);
  /// Runs a block, past its keys and values for the last tokens only; leaves their residual in `last`,
  /// [probes, d]. The pack's own residual is then of no more use.
  void run_last(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
                float* last);
  /// Copies the residual at the last tokens to `last`, [probes, d].
  void gather_last(float* last);

  /// Puts the layer norm of every token's residual into workspace.a.
  void norm_all(const float* weight, const float* bias, Workspace<T>& workspace);
  /// out[tokens, outputs] = workspace.a · weightᵀ, weight being [outputs, d].
  void project(const T* weight, std::int64_t outputs, const Workspace<T>& workspace, float* out);

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

  void norms(const BlockWeights<T>& weights, const Rows& rows, Workspace<T>& workspace);
  void mlp(const BlockWeights<T>& weights, const Rows& rows, Workspace<T>& workspace);
  void attend(const BlockWeights<T>& weights, const Rows& rows, const T* k, const T* v,
              Workspace<T>& workspace);
  void norm(const float* weight, const float* bias, const Rows& rows, T* out);
  template <class C>
  void product(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* in, const T* weight,
               C* out, float beta);
  [[nodiscard]] device::RotarySplit<T> split(const RotaryTable& rotary, const Rows& rows, const T* in,
                                             const float* bias) const;
  [[nodiscard]] Rows all_rows();
  [[nodiscard]] Rows last_rows(float* last);

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

extern template struct Workspace<float>;
extern template struct Workspace<device::Float16>;
extern template struct Workspace<device::BFloat16>;
extern template class PackRun<float>;
extern template class PackRun<device::Float16>;
extern template class PackRun<device::BFloat16>;

}  // namespace incipit::model
