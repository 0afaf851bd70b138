#pragma once

#include <cstddef>
#include <cstdint>

#include "checkpoint/config.hpp"
#include "device/device.hpp"
#include "model/block_pass.hpp"

namespace incipit::model {

/// Room for the keys and values of all blocks. T: their numbers.
template <device::Number T>
class KeyCache {
 public:
  /// Room for so many tokens, all texts together.
  KeyCache(device::Device& device, const checkpoint::Config& config, std::int64_t rows)
      : config_(config), rows_(rows), numbers_(device, bytes(config, rows) / sizeof(T)) {}

  /// Those of one block, from row `first` on: a text that begins there finds its first key in row 0.
  [[nodiscard]] KeptKeys<T> at(std::int64_t block, std::int64_t first = 0) {
    T* const k = numbers_.data() + 2 * block * rows_ * config_.d + first * config_.head_size();
    return {k, k + rows_ * config_.d, rows_};
  }

  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, std::int64_t rows) {
    return static_cast<std::size_t>(2 * config.layers * rows * config.d) * sizeof(T);
  }

 private:
  const checkpoint::Config& config_;
  std::int64_t rows_;
  device::Buffer<T> numbers_;  ///< [layers, 2, heads, rows, head_size]
};

}  // namespace incipit::model
