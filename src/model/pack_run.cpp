#include "model/pack_run.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "error.hpp"

namespace incipit::model {
namespace {

std::int64_t tokens_of(const corpus::Pack& pack) {
  return static_cast<std::int64_t>(pack.tokens.size());
}

/// Columns of the widest array a block needs for all tokens at once. Queries, keys, values and their
/// product before they are split never ask for more than 4·d: see PackRun::run.
std::int64_t wide_columns(const checkpoint::Config& config) {
  return std::max(4 * config.d, config.mlp);
}

template <class T>
device::Buffer<T> to_device(device::Device& device, const std::vector<T>& values) {
  return device::Buffer<T>(device, std::span<const T>(values));
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

void check_tokens(const corpus::Pack& pack, std::int64_t vocabulary) {
  for (std::size_t i = 0; i < pack.probes.size(); ++i) {
    for (std::int64_t t = pack.starts[i]; t < pack.starts[i + 1]; ++t) {
      const std::int32_t token = pack.tokens[static_cast<std::size_t>(t)];
      if (token >= 0 && token < vocabulary) continue;
      throw Error(Exit::data, "token " + std::to_string(token) + " of probe " +
                                  std::to_string(pack.probes[i]) + " is not in the model's vocabulary of " +
                                  std::to_string(vocabulary) + "; is tokenizer.json the one of this model?");
    }
  }
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
  cos = to_device(device, cosines);
  sin = to_device(device, sines);
}

template <device::Number T>
Workspace<T>::Workspace(device::Device& device, const checkpoint::Config& config,
                        std::span<const corpus::Pack> packs) {
  std::size_t tokens = 0;
  for (const corpus::Pack& pack : packs) tokens = std::max(tokens, pack.tokens.size());
  const auto d = static_cast<std::size_t>(config.d);
  a = device::Buffer<T>(device, tokens * d);
  b = device::Buffer<T>(device, tokens * d);
  wide = device::Buffer<T>(device, tokens * static_cast<std::size_t>(wide_columns(config)));
}

template <device::Number T>
std::size_t Workspace<T>::bytes(const checkpoint::Config& config, std::int64_t tokens) {
  return static_cast<std::size_t>(tokens * (2 * config.d + wide_columns(config))) * sizeof(T);
}

template <device::Number T>
PackRun<T>::PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack)
    : device_(device),
      config_(config),
      pack_(pack),
      x_(device, pack.tokens.size() * static_cast<std::size_t>(config.d)) {
  std::vector<std::int32_t> position;
  std::vector<std::int32_t> starts = {0};
  std::vector<std::int32_t> last;
  std::vector<std::int32_t> last_position;
  for (std::size_t i = 0; i < pack.probes.size(); ++i) {
    const auto length = static_cast<std::int32_t>(pack.starts[i + 1] - pack.starts[i]);
    for (std::int32_t t = 0; t < length; ++t) position.push_back(t);
    starts.push_back(starts.back() + length);
    last.push_back(starts.back() - 1);
    last_position.push_back(length - 1);
    longest_ = std::max<std::int64_t>(longest_, length);
  }
  std::vector<std::int32_t> one_each(starts.size());
  std::iota(one_each.begin(), one_each.end(), 0);
  position_ = to_device(device, position);
  starts_ = to_device(device, starts);
  last_ = to_device(device, last);
  last_position_ = to_device(device, last_position);
  one_each_ = to_device(device, one_each);
}

template <device::Number T>
std::size_t PackRun<T>::bytes(const checkpoint::Config& config, const corpus::Pack& pack) {
  return pack.tokens.size() * (static_cast<std::size_t>(config.d) * sizeof(float) + sizeof(std::int32_t)) +
         4 * (pack.probes.size() + 1) * sizeof(std::int32_t);
}

template <device::Number T>
void PackRun<T>::embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace) {
  check_tokens(pack_, config_.vocab);
  std::vector<std::int32_t> distinct = pack_.tokens;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());

  // No more rows than the pack has tokens, so the workspace holds them, 4·d numbers of 16 bits being more
  // than d of 32.
  auto* table = reinterpret_cast<float*>(workspace.wide.data());
  for (std::size_t i = 0; i < distinct.size();) {
    std::size_t end = i + 1;
    while (end < distinct.size() && distinct[end] == distinct[end - 1] + 1) ++end;
    stream.read(embedding, distinct[i], static_cast<std::int64_t>(end - i),
                table + static_cast<std::int64_t>(i) * config_.d);
    i = end;
  }

  std::vector<std::int32_t> row;
  row.reserve(pack_.tokens.size());
  for (const std::int32_t token : pack_.tokens) {
    row.push_back(static_cast<std::int32_t>(std::lower_bound(distinct.begin(), distinct.end(), token) -
                                            distinct.begin()));
  }
  const device::Buffer<std::int32_t> index = to_device(device_, row);
  device_.gather_rows(
      {.rows = tokens_of(pack_), .d = config_.d, .in = table, .index = index.data(), .out = x_.data()});
  device_.synchronize();
}

// The workspace serves several arrays in turn (T rows): the two norms in a and b; then, once the MLP has
// used b, the queries in b, the keys in a and the values in the last quarter of `wide`, whose first
// three quarters held their product; then the attention's output at the start of `wide`.
template <device::Number T>
void PackRun<T>::run(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace) {
  const Rows rows = all_rows();
  norms(weights, rows, workspace);
  if (config_.parallel_residual) mlp(weights, rows, workspace);

  T* wide = workspace.wide.data();
  T* v = wide + 3 * rows.count * config_.d;
  product(rows.count, 3 * config_.d, config_.d, workspace.a.data(), weights.qkv, wide, 0.0F);
  device::RotarySplit<T> op = split(rotary, rows, wide, weights.qkv_bias);
  op.q = workspace.b.data();
  op.k = workspace.a.data();
  op.v = v;
  device_.rotary_split(op);

  attend(weights, rows, workspace.a.data(), v, workspace);
  if (!config_.parallel_residual) {
    norm(weights.norm2, weights.norm2_bias, rows, workspace.b.data());
    mlp(weights, rows, workspace);
  }
}

template <device::Number T>
void PackRun<T>::run_last(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
                          float* last) {
  const Rows all = all_rows();
  gather_last(last);
  const Rows rows = last_rows(last);
  norms(weights, rows, workspace);
  if (config_.parallel_residual) mlp(weights, rows, workspace);

  T* wide = workspace.wide.data();
  product(rows.count, config_.d, config_.d, workspace.a.data(), weights.qkv, wide, 0.0F);
  device::RotarySplit<T> queries = split(rotary, rows, wide, weights.qkv_bias);
  queries.q = workspace.b.data();
  device_.rotary_split(queries);

  // Keys and values of all tokens, by the rows of the weights behind those of the queries.
  norm(weights.norm1, weights.norm1_bias, all, workspace.a.data());
  product(all.count, 2 * config_.d, config_.d, workspace.a.data(), weights.qkv + config_.d * config_.d, wide,
          0.0F);
  device::RotarySplit<T> others =
      split(rotary, all, wide, weights.qkv_bias == nullptr ? nullptr : weights.qkv_bias + config_.d);
  others.k = wide + 2 * all.count * config_.d;
  others.v = wide + 3 * all.count * config_.d;
  device_.rotary_split(others);

  attend(weights, rows, others.k, others.v, workspace);
  if (!config_.parallel_residual) {
    norm(weights.norm2, weights.norm2_bias, rows, workspace.b.data());
    mlp(weights, rows, workspace);
  }
}

template <device::Number T>
void PackRun<T>::gather_last(float* last) {
  device_.gather_rows(
      {.rows = probes(), .d = config_.d, .in = x_.data(), .index = last_.data(), .out = last});
}

template <device::Number T>
void PackRun<T>::norm_all(const float* weight, const float* bias, Workspace<T>& workspace) {
  norm(weight, bias, all_rows(), workspace.a.data());
}

template <device::Number T>
void PackRun<T>::project(const T* weight, std::int64_t outputs, const Workspace<T>& workspace, float* out) {
  product(tokens_of(pack_), outputs, config_.d, workspace.a.data(), weight, out, 0.0F);
}

template <device::Number T>
void PackRun<T>::norms(const BlockWeights<T>& weights, const Rows& rows, Workspace<T>& workspace) {
  if (!config_.parallel_residual) return norm(weights.norm1, weights.norm1_bias, rows, workspace.a.data());
  device_.double_layer_norm(device::DoubleLayerNorm<T>{.rows = rows.count,
                                                       .d = config_.d,
                                                       .eps = static_cast<float>(config_.norm_eps),
                                                       .x = rows.x,
                                                       .weight_a = weights.norm1,
                                                       .bias_a = weights.norm1_bias,
                                                       .out_a = workspace.a.data(),
                                                       .weight_b = weights.norm2,
                                                       .bias_b = weights.norm2_bias,
                                                       .out_b = workspace.b.data()});
}

template <device::Number T>
void PackRun<T>::norm(const float* weight, const float* bias, const Rows& rows, T* out) {
  device_.double_layer_norm(device::DoubleLayerNorm<T>{.rows = rows.count,
                                                       .d = config_.d,
                                                       .eps = static_cast<float>(config_.norm_eps),
                                                       .x = rows.x,
                                                       .weight_a = weight,
                                                       .bias_a = bias,
                                                       .out_a = out});
}

/// rows.x += MLP(workspace.b).
template <device::Number T>
void PackRun<T>::mlp(const BlockWeights<T>& weights, const Rows& rows, Workspace<T>& workspace) {
  product(rows.count, config_.mlp, config_.d, workspace.b.data(), weights.up, workspace.wide.data(), 0.0F);
  device_.bias_activation(device::BiasActivation<T>{.rows = rows.count,
                                                    .d = config_.mlp,
                                                    .f = nonlinearity(config_.activation),
                                                    .bias = weights.up_bias,
                                                    .x = workspace.wide.data()});
  device_.add_bias({.rows = rows.count, .d = config_.d, .bias = weights.down_bias, .x = rows.x});
  product(rows.count, config_.d, config_.mlp, workspace.wide.data(), weights.down, rows.x, 1.0F);
}

/// rows.x += attention of the queries in workspace.b to these keys and values.
template <device::Number T>
void PackRun<T>::attend(const BlockWeights<T>& weights, const Rows& rows, const T* k, const T* v,
                        Workspace<T>& workspace) {
  device_.attention(device::Attention<T>{
      .sequences = probes(),
      .heads = config_.heads,
      .head_size = config_.head_size(),
      .query_rows = rows.count,
      .key_rows = tokens_of(pack_),
      .longest = longest_,
      .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_size()))),
      .query_starts = rows.starts,
      .key_starts = starts_.data(),
      .q = workspace.b.data(),
      .k = k,
      .v = v,
      .out = workspace.wide.data()});
  if (weights.dense_bias != nullptr) {
    device_.add_bias({.rows = rows.count, .d = config_.d, .bias = weights.dense_bias, .x = rows.x});
  }
  product(rows.count, config_.d, config_.d, workspace.wide.data(), weights.dense, rows.x, 1.0F);
}

/// out = in · weightᵀ + beta · out, weight being [outputs, inputs] as the files hold it.
template <device::Number T>
template <class C>
void PackRun<T>::product(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* in,
                         const T* weight, C* out, float beta) {
  device_.matmul(device::MatrixProduct<T, C>{.transpose_b = true,
                                             .m = rows,
                                             .n = outputs,
                                             .k = inputs,
                                             .a = in,
                                             .lda = inputs,
                                             .b = weight,
                                             .ldb = inputs,
                                             .beta = beta,
                                             .c = out,
                                             .ldc = outputs});
}

template <device::Number T>
device::RotarySplit<T> PackRun<T>::split(const RotaryTable& rotary, const Rows& rows, const T* in,
                                         const float* bias) const {
  return {.rows = rows.count,
          .heads = config_.heads,
          .head_size = config_.head_size(),
          .rotary_dims = config_.rotary_dims(),
          .in = in,
          .bias = bias,
          .position = rows.position,
          .cos = rotary.cos.data(),
          .sin = rotary.sin.data()};
}

template <device::Number T>
typename PackRun<T>::Rows PackRun<T>::all_rows() {
  return {tokens_of(pack_), x_.data(), starts_.data(), position_.data()};
}

template <device::Number T>
typename PackRun<T>::Rows PackRun<T>::last_rows(float* last) {
  return {probes(), last, one_each_.data(), last_position_.data()};
}

template struct Workspace<float>;
template struct Workspace<device::Float16>;
template struct Workspace<device::BFloat16>;
template class PackRun<float>;
template class PackRun<device::Float16>;
template class PackRun<device::BFloat16>;

}  // namespace incipit::model
