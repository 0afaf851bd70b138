#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/prefetch.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// Whether weights stay on the device, or are read anew each time they are passed.
enum class Residence { resident, streamed };

/// The final layer norm, and the unembedding (the embedding again where the configuration ties them) in
/// blocks of rows. Device, weights and configuration must outlive it. T: the numbers of the unembedding.
template <device::Number T>
class Head {
 public:
  /// Rows of a block. Fixed, as the last bits of a product may hang on its shape.
  static constexpr std::int64_t block_rows = 1536;

  /// Errors as TensorStream.
  Head(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
       TensorStream stream, Residence residence)
      : device_(device),
        config_(config),
        stream_(std::move(stream)),
        matrix_(unembedding(weights, config)),
        norm_(device, static_cast<std::size_t>(config.d)),
        norm_bias_(device, static_cast<std::size_t>(config.d)) {
    stream_.read(weights.at("gpt_neox.final_layer_norm.weight"), 0, config.d, norm_.data());
    stream_.read(weights.at("gpt_neox.final_layer_norm.bias"), 0, config.d, norm_bias_.data());
    if (residence == Residence::streamed) return;
    whole_ = device::Buffer<T>(device, static_cast<std::size_t>(config.vocab * config.d));
    stream_.read(matrix_, 0, config.vocab, whole_.data());
  }

  [[nodiscard]] static const checkpoint::Tensor& unembedding(const checkpoint::Weights& weights,
                                                             const checkpoint::Config& config) {
    return weights.at(config.tied_embeddings ? "gpt_neox.embed_in.weight" : "embed_out.weight");
  }
  [[nodiscard]] std::int64_t blocks() const { return (config_.vocab + block_rows - 1) / block_rows; }
  /// First row and number of rows of a block.
  [[nodiscard]] static std::int64_t first(std::int64_t block) { return block * block_rows; }
  [[nodiscard]] std::int64_t rows(std::int64_t block) const {
    return std::min(block_rows, config_.vocab - first(block));
  }
  [[nodiscard]] const float* norm() const { return norm_.data(); }            ///< [d]
  [[nodiscard]] const float* norm_bias() const { return norm_bias_.data(); }  ///< [d]

  /// use(block, weight) for every block in order, weight being [rows(block), d] and valid within the call.
  template <class Use>
  void pass(Use&& use) {
    if (whole_.size() > 0) {
      for (std::int64_t b = 0; b < blocks(); ++b) use(b, whole_.data() + first(b) * config_.d);
      return;
    }
    const auto slot = [&] {
      return device::Buffer<T>(device_,
                               static_cast<std::size_t>(std::min(block_rows, config_.vocab) * config_.d));
    };
    Prefetch<device::Buffer<T>> read(device_, slot(), slot(), blocks(),
                                     [this](device::Buffer<T>& to, std::int64_t b) {
                                       const checkpoint::Piece piece{&matrix_, first(b), rows(b)};
                                       const auto part = stream_.part({&piece, 1});
                                       stream_.read(matrix_, first(b), rows(b), to.data());
                                     });
    for (std::int64_t b = 0; b < blocks(); ++b) use(b, read.next(b).data());
  }

  /// Device bytes.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, Residence residence) {
    const std::int64_t rows = residence == Residence::resident ? config.vocab : 2 * block_rows;
    return static_cast<std::size_t>(rows * config.d) * sizeof(T) +
           static_cast<std::size_t>(2 * config.d) * sizeof(float);
  }

 private:
  device::Device& device_;
  const checkpoint::Config& config_;
  TensorStream stream_;
  const checkpoint::Tensor& matrix_;
  device::Buffer<float> norm_, norm_bias_;
  device::Buffer<T> whole_;  ///< [vocab, d] where it is resident
};

}  // namespace incipit::model
