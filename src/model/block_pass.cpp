#include "model/block_pass.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "error.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::model {
namespace {

/// Columns of the widest array a block needs for all rows at once. Queries, keys, values and their product
/// before they are split never ask for more than 4·d: see BlockPass::run.
std::int64_t wide_columns(const checkpoint::Config& config) {
  return std::max(4 * config.d, config.mlp);
}

device::Nonlinearity nonlinearity(checkpoint::Activation activation) {
  switch (activation) {
    case checkpoint::Activation::gelu:
      return device::Nonlinearity::gelu;
    case checkpoint::Activation::gelu_new:
    case checkpoint::Activation::gelu_fast:
      return device::Nonlinearity::gelu_tanh;
    case checkpoint::Activation::relu:
      return device::Nonlinearity::relu;
  }
  throw Error(Exit::defect, "an activation without a device operation");
}

}  // namespace

RotaryTable::RotaryTable(device::Device& device, const checkpoint::Config& config, std::int64_t positions) {
  const std::int64_t half = config.rotary_dims() / 2;
  std::vector<float> cosines;
  std::vector<float> sines;
  for (std::int64_t position = 0; position < positions; ++position) {
    for (std::int64_t j = 0; j < half; ++j) {
      const double exponent = static_cast<double>(2 * j) / static_cast<double>(config.rotary_dims());
      const auto frequency = static_cast<float>(1.0 / std::pow(config.rotary_base, exponent));
      const float angle = static_cast<float>(position) * frequency;
      cosines.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      sines.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
  cos = device::Buffer<float>(device, std::span<const float>(cosines));
  sin = device::Buffer<float>(device, std::span<const float>(sines));
}

template <device::Number T>
Workspace<T>::Workspace(device::Device& device, const checkpoint::Config& config, std::int64_t rows)
    : a(device, static_cast<std::size_t>(rows * config.d)),
      b(device, static_cast<std::size_t>(rows * config.d)),
      wide(device, static_cast<std::size_t>(rows * wide_columns(config))) {}

template <device::Number T>
std::size_t Workspace<T>::bytes(const checkpoint::Config& config, std::int64_t rows) {
  return static_cast<std::size_t>(rows * (2 * config.d + wide_columns(config))) * sizeof(T);
}

// The workspace serves several arrays in turn (T rows): the two norms in a and b; then, once the MLP has
// used b, the queries in b and, unless they stay elsewhere, the keys in a and the values in the last quarter
// of `wide`, whose first three quarters held their product; then the attention's output at the start of
// `wide`.
template <device::Number T>
void BlockPass<T>::run(const BlockWeights<T>& weights, const PassRows& rows, const PassKeys<T>& keys) {
  parallel::sign_of_life();
  norms(weights, rows);
  if (config_.parallel_residual) mlp(weights, rows);

  T* wide = workspace_.wide.data();
  project(device_, rows.count, 3 * config_.d, config_.d, workspace_.a.data(), weights.qkv, wide, 0.0F);
  KeptKeys<T> there = keys.kept;
  if (there.k == nullptr) there = {workspace_.a.data(), wide + 3 * rows.count * config_.d, rows.count};
  device::RotarySplit<T> op = split(rows, weights.qkv_bias);
  op.q = workspace_.b.data();
  split_keys(op, keys, there);
  device_.rotary_split(op);

  attend(weights, rows, keys, there);
  behind_attention(weights, rows);
}

template <device::Number T>
void BlockPass<T>::run_last(const BlockWeights<T>& weights, const PassRows& all, const PassRows& last,
                            const PassKeys<T>& keys) {
  norms(weights, last);
  if (config_.parallel_residual) mlp(weights, last);

  T* wide = workspace_.wide.data();
  project(device_, last.count, config_.d, config_.d, workspace_.a.data(), weights.qkv, wide, 0.0F);
  device::RotarySplit<T> queries = split(last, weights.qkv_bias);
  queries.q = workspace_.b.data();
  device_.rotary_split(queries);

  // Keys and values of all rows, by the rows of the weights behind those of the queries.
  norm(weights.norm1, weights.norm1_bias, all, workspace_.a.data());
  project(device_, all.count, 2 * config_.d, config_.d, workspace_.a.data(),
          weights.qkv + config_.d * config_.d, wide, 0.0F);
  KeptKeys<T> there = keys.kept;
  if (there.k == nullptr)
    there = {wide + 2 * all.count * config_.d, wide + 3 * all.count * config_.d, all.count};
  device::RotarySplit<T> others =
      split(all, weights.qkv_bias == nullptr ? nullptr : weights.qkv_bias + config_.d);
  split_keys(others, keys, there);
  device_.rotary_split(others);

  attend(weights, last, keys, there);
  behind_attention(weights, last);
}

template <device::Number T>
void BlockPass<T>::norms(const BlockWeights<T>& weights, const PassRows& rows) {
  if (!config_.parallel_residual) return norm(weights.norm1, weights.norm1_bias, rows, workspace_.a.data());
  device_.double_layer_norm(device::DoubleLayerNorm<T>{.rows = rows.count,
                                                       .d = config_.d,
                                                       .eps = static_cast<float>(config_.norm_eps),
                                                       .x = rows.x,
                                                       .weight_a = weights.norm1,
                                                       .bias_a = weights.norm1_bias,
                                                       .out_a = workspace_.a.data(),
                                                       .weight_b = weights.norm2,
                                                       .bias_b = weights.norm2_bias,
                                                       .out_b = workspace_.b.data()});
}

template <device::Number T>
void BlockPass<T>::norm(const float* weight, const float* bias, const PassRows& rows, T* out) {
  layer_norm(device_, config_, rows.count, rows.x, weight, bias, out);
}

/// rows.x += MLP(workspace.b).
template <device::Number T>
void BlockPass<T>::mlp(const BlockWeights<T>& weights, const PassRows& rows) {
  T* wide = workspace_.wide.data();
  project(device_, rows.count, config_.mlp, config_.d, workspace_.b.data(), weights.up, wide, 0.0F);
  device_.bias_activation(device::BiasActivation<T>{.rows = rows.count,
                                                    .d = config_.mlp,
                                                    .f = nonlinearity(config_.activation),
                                                    .bias = weights.up_bias,
                                                    .x = wide});
  before(Component::mlp);
  device_.add_bias({.rows = rows.count, .d = config_.d, .bias = weights.down_bias, .x = rows.x});
  project(device_, rows.count, config_.d, config_.mlp, wide, weights.down, rows.x, 1.0F);
  after(Component::mlp);
}

template <device::Number T>
void BlockPass<T>::behind_attention(const BlockWeights<T>& weights, const PassRows& rows) {
  if (config_.parallel_residual) return;
  norm(weights.norm2, weights.norm2_bias, rows, workspace_.b.data());
  mlp(weights, rows);
}

/// rows.x += attention of the queries in workspace.b to the keys and values `there`.
template <device::Number T>
void BlockPass<T>::attend(const BlockWeights<T>& weights, const PassRows& rows, const PassKeys<T>& keys,
                          const KeptKeys<T>& there) {
  T* out = workspace_.wide.data();
  device_.attention(device::Attention<T>{
      .sequences = keys.sequences,
      .heads = config_.heads,
      .head_size = config_.head_size(),
      .query_rows = rows.count,
      .key_rows = there.rows,
      .longest = keys.longest,
      .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_size()))),
      .query_starts = rows.starts,
      .key_starts = keys.starts,
      .q = workspace_.b.data(),
      .k = there.k,
      .v = there.v,
      .out = out});
  before(Component::attention);
  if (weights.dense_bias != nullptr) {
    device_.add_bias({.rows = rows.count, .d = config_.d, .bias = weights.dense_bias, .x = rows.x});
  }
  project(device_, rows.count, config_.d, config_.d, out, weights.dense, rows.x, 1.0F);
  after(Component::attention);
}

/// Takes the product in workspace.wide apart; the outputs are yet to be named.
template <device::Number T>
device::RotarySplit<T> BlockPass<T>::split(const PassRows& rows, const float* bias) const {
  return {.rows = rows.count,
          .heads = config_.heads,
          .head_size = config_.head_size(),
          .rotary_dims = config_.rotary_dims(),
          .in = workspace_.wide.data(),
          .bias = bias,
          .position = rows.position,
          .cos = rotary_.cos.data(),
          .sin = rotary_.sin.data()};
}

template <device::Number T>
void BlockPass<T>::split_keys(device::RotarySplit<T>& op, const PassKeys<T>& keys,
                              const KeptKeys<T>& there) const {
  op.k = there.k;
  op.v = there.v;
  op.key_rows = there.rows;
  op.place = keys.place;
}

template struct Workspace<float>;
template struct Workspace<device::Float16>;
template struct Workspace<device::BFloat16>;
template class BlockPass<float>;
template class BlockPass<device::Float16>;
template class BlockPass<device::BFloat16>;

}  // namespace incipit::model
