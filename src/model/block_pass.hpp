#pragma once

#include <cstddef>
#include <cstdint>

#include "checkpoint/config.hpp"
#include "device/device.hpp"
#include "model/block_weights.hpp"
#include "model/layers.hpp"

namespace incipit::model {

/// Cosines and sines of the rotary embedding for positions 0..positions−1, each [positions, rotary_dims / 2].
/// The angle is position · base^(−2j/rotary_dims) in fp32, as Hugging Face's GPTNeoX makes it.
struct RotaryTable {
  RotaryTable(device::Device& device, const checkpoint::Config& config, std::int64_t positions);

  device::Buffer<float> cos;
  device::Buffer<float> sin;
};

/// Scratch for the rows that go through a block together. T: the numbers between operations.
template <device::Number T>
struct Workspace {
  /// For at most so many rows.
  Workspace(device::Device& device, const checkpoint::Config& config, std::int64_t rows);

  /// Device bytes for at most so many rows.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config, std::int64_t rows);

  device::Buffer<T> a;     ///< [rows, d]
  device::Buffer<T> b;     ///< [rows, d]
  device::Buffer<T> wide;  ///< [rows, max(4·d, mlp)]
};

/// Rows that go through a block as a whole: all tokens of some texts, or their last ones.
struct PassRows {
  std::int64_t count;
  float* x;                      ///< [count, d] residual
  const std::int32_t* starts;    ///< [sequences + 1] of each sequence of the keys its queries
  const std::int32_t* position;  ///< [count]
};

/// Where keys and values of a block stay for tokens to come.
template <device::Number T>
struct KeptKeys {
  T* k = nullptr;         ///< [heads, rows, head_size]
  T* v = nullptr;         ///< [heads, rows, head_size]
  std::int64_t rows = 0;  ///< that there is room for
};

/// The keys and values that the queries of a block see, those of the rows themselves among them.
template <device::Number T>
struct PassKeys {
  std::int64_t sequences;
  const std::int32_t* starts;  ///< [sequences + 1]
  std::int64_t longest;        ///< keys of the longest sequence
  KeptKeys<T> kept = {};       ///< null: keys and values are those of the rows, and gone behind the block
  const std::int32_t* place = nullptr;  ///< [rows] where each one's keys and values go; null: in order
};

/// The two that a block adds to the residual, each with the bias of its output projection.
enum class Component { attention, mlp };

/// Whichever a block adds first; the other then makes its layer of it.
[[nodiscard]] inline Component first_component(const checkpoint::Config& config) {
  return config.parallel_residual ? Component::mlp : Component::attention;
}

/// Is called before and after a component is added to the residual.
class ComponentWatch {
 public:
  ComponentWatch() = default;
  ComponentWatch(const ComponentWatch&) = delete;
  ComponentWatch& operator=(const ComponentWatch&) = delete;
  virtual ~ComponentWatch() = default;

  virtual void before(Component component) = 0;
  virtual void after(Component component) = 0;
};

/// One block of GPT-NeoX as a schedule of device operations. Everything it is made from must outlive it.
template <device::Number T>
class BlockPass {
 public:
  /// `watch`: of the rows whose residual the block changes; may be null.
  BlockPass(device::Device& device, const checkpoint::Config& config, const RotaryTable& rotary,
            Workspace<T>& workspace, ComponentWatch* watch = nullptr)
      : device_(device), config_(config), rotary_(rotary), workspace_(workspace), watch_(watch) {}

  /// All of these rows ask, and all of them are seen.
  void run(const BlockWeights<T>& weights, const PassRows& rows, const PassKeys<T>& keys);
  /// Past the keys and values of all rows, for `last` only. What `all` holds is then of no more use.
  void run_last(const BlockWeights<T>& weights, const PassRows& all, const PassRows& last,
                const PassKeys<T>& keys);

 private:
  void norms(const BlockWeights<T>& weights, const PassRows& rows);
  void norm(const float* weight, const float* bias, const PassRows& rows, T* out);
  void mlp(const BlockWeights<T>& weights, const PassRows& rows);
  void behind_attention(const BlockWeights<T>& weights, const PassRows& rows);
  void attend(const BlockWeights<T>& weights, const PassRows& rows, const PassKeys<T>& keys,
              const KeptKeys<T>& there);
  void before(Component component) {
    if (watch_ != nullptr) watch_->before(component);
  }
  void after(Component component) {
    if (watch_ != nullptr) watch_->after(component);
  }
  [[nodiscard]] device::RotarySplit<T> split(const PassRows& rows, const float* bias) const;
  void split_keys(device::RotarySplit<T>& op, const PassKeys<T>& keys, const KeptKeys<T>& there) const;

  device::Device& device_;
  const checkpoint::Config& config_;
  const RotaryTable& rotary_;
  Workspace<T>& workspace_;
  ComponentWatch* watch_;
};

extern template struct Workspace<float>;
extern template struct Workspace<device::Float16>;
extern template struct Workspace<device::BFloat16>;
extern template class BlockPass<float>;
extern template class BlockPass<device::Float16>;
extern template class BlockPass<device::BFloat16>;

}  // namespace incipit::model
