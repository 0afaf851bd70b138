#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/block_weights.hpp"
#include "model/head.hpp"
#include "model/prefetch.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// All blocks of a checkpoint, to be passed again and again: on the device for good, or streamed each time,
/// block ℓ+1 being read while block ℓ is used. Device, weights and configuration must outlive it.
template <device::Number T>
class Blocks {
 public:
  /// Errors as TensorStream.
  Blocks(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
         TensorStream stream, Residence residence)
      : device_(device), weights_(weights), config_(config), stream_(std::move(stream)) {
    if (residence == Residence::streamed) return;
    for (std::int64_t b = 0; b < config.layers; ++b)
      all_.emplace_back(device, config).read(stream_, weights, b);
  }

  /// use(block, weights) for every block in order; the weights are valid within the call.
  template <class Use>
  void pass(Use&& use) {
    for (std::int64_t b = 0; b < std::ssize(all_); ++b) use(b, all_[static_cast<std::size_t>(b)]);
    if (!all_.empty()) return;
    Prefetch<BlockWeights<T>> read(
        device_, BlockWeights<T>(device_, config_), BlockWeights<T>(device_, config_), config_.layers,
        [this](BlockWeights<T>& to, std::int64_t b) { to.read(stream_, weights_, b); });
    for (std::int64_t b = 0; b < config_.layers; ++b) use(b, read.next(b));
  }

  /// Device bytes.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, Residence residence) {
    const std::int64_t blocks = residence == Residence::resident ? config.layers : 2;
    return static_cast<std::size_t>(blocks) * BlockWeights<T>::bytes(config);
  }

 private:
  device::Device& device_;
  const checkpoint::Weights& weights_;
  const checkpoint::Config& config_;
  TensorStream stream_;
  std::vector<BlockWeights<T>> all_;  ///< empty where they are streamed
};

}  // namespace incipit::model
