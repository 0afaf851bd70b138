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

Workspace::Workspace(device::Device& device, const checkpoint::Config& config,
                     std::span<const corpus::Pack> packs) {
  std::size_t tokens = 0;
  std::size_t probes = 0;
  for (const corpus::Pack& pack : packs) {
    tokens = std::max(tokens, pack.tokens.size());
    probes = std::max(probes, pack.probes.size());
  }
  const auto d = static_cast<std::size_t>(config.d);
  a = device::Buffer<float>(device, tokens * d);
  b = device::Buffer<float>(device, tokens * d);
  wide = device::Buffer<float>(device, tokens * static_cast<std::size_t>(wide_columns(config)));
  last = device::Buffer<float>(device, probes * d);
  flags = device::Buffer<std::int32_t>(device, probes);
}

std::size_t Workspace::bytes(const checkpoint::Config& config, std::int64_t tokens) {
  return static_cast<std::size_t>(tokens * (2 * config.d + wide_columns(config))) * sizeof(float);
}

PackRun::PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack)
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

std::size_t PackRun::bytes(const checkpoint::Config& config, const corpus::Pack& pack) {
  return pack.tokens.size() * (static_cast<std::size_t>(config.d) * sizeof(float) + sizeof(std::int32_t)) +
         4 * (pack.probes.size() + 1) * sizeof(std::int32_t);
}

void PackRun::embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace& workspace) {
  check_tokens(pack_, config_.vocab);
  std::vector<std::int32_t> distinct = pack_.tokens;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());

  // No more rows than the pack has tokens, so the workspace holds them.
  float* table = workspace.wide.data();
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
void PackRun::run(const BlockWeights& weights, const RotaryTable& rotary, Workspace& workspace) {
  const Rows rows = all_rows();
  norms(weights, rows, workspace);
  if (config_.parallel_residual) mlp(weights, rows, workspace);

  float* wide = workspace.wide.data();
  float* v = wide + 3 * rows.count * config_.d;
  product(rows.count, 3 * config_.d, config_.d, workspace.a.data(), weights.qkv, wide, 0.0F);
  device::RotarySplit op = split(rotary, rows, wide, weights.qkv_bias);
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

void PackRun::run_last(const BlockWeights& weights, const RotaryTable& rotary, Workspace& workspace) {
  const Rows all = all_rows();
  gather_last(workspace);
  const Rows rows = last_rows(workspace);
  norms(weights, rows, workspace);
  if (config_.parallel_residual) mlp(weights, rows, workspace);

  float* wide = workspace.wide.data();
  product(rows.count, config_.d, config_.d, workspace.a.data(), weights.qkv, wide, 0.0F);
  device::RotarySplit queries = split(rotary, rows, wide, weights.qkv_bias);
  queries.q = workspace.b.data();
  device_.rotary_split(queries);

  // Keys and values of all tokens, by the rows of the weights behind those of the queries.
  norm(weights.norm1, weights.norm1_bias, all, workspace.a.data());
  product(all.count, 2 * config_.d, config_.d, workspace.a.data(), weights.qkv + config_.d * config_.d, wide,
          0.0F);
  device::RotarySplit others =
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

void PackRun::gather_last(Workspace& workspace) {
  device_.gather_rows({.rows = probes(),
                       .d = config_.d,
                       .in = x_.data(),
                       .index = last_.data(),
                       .out = workspace.last.data()});
}

void PackRun::norm_all(const float* weight, const float* bias) {
  norm(weight, bias, all_rows(), x_.data());
}

void PackRun::project(const float* weight, std::int64_t outputs, float* out) {
  product(tokens_of(pack_), outputs, config_.d, x_.data(), weight, out, 0.0F);
}

void PackRun::norms(const BlockWeights& weights, const Rows& rows, Workspace& workspace) {
  if (!config_.parallel_residual) return norm(weights.norm1, weights.norm1_bias, rows, workspace.a.data());
  device_.double_layer_norm({.rows = rows.count,
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

void PackRun::norm(const float* weight, const float* bias, const Rows& rows, float* out) {
  device_.double_layer_norm({.rows = rows.count,
                             .d = config_.d,
                             .eps = static_cast<float>(config_.norm_eps),
                             .x = rows.x,
                             .weight_a = weight,
                             .bias_a = bias,
                             .out_a = out});
}

/// rows.x += MLP(workspace.b).
void PackRun::mlp(const BlockWeights& weights, const Rows& rows, Workspace& workspace) {
  product(rows.count, config_.mlp, config_.d, workspace.b.data(), weights.up, workspace.wide.data(), 0.0F);
  device_.bias_activation({.rows = rows.count,
                           .d = config_.mlp,
                           .f = nonlinearity(config_.activation),
                           .bias = weights.up_bias,
                           .x = workspace.wide.data()});
  device_.add_bias({.rows = rows.count, .d = config_.d, .bias = weights.down_bias, .x = rows.x});
  product(rows.count, config_.d, config_.mlp, workspace.wide.data(), weights.down, rows.x, 1.0F);
}

/// rows.x += attention of the queries in workspace.b to these keys and values.
void PackRun::attend(const BlockWeights& weights, const Rows& rows, const float* k, const float* v,
                     Workspace& workspace) {
  device_.attention({.sequences = probes(),
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
void PackRun::product(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const float* in,
                      const float* weight, float* out, float beta) {
  device_.matmul(device::Matmul{.transpose_b = true,
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

device::RotarySplit PackRun::split(const RotaryTable& rotary, const Rows& rows, const float* in,
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

PackRun::Rows PackRun::all_rows() {
  return {tokens_of(pack_), x_.data(), starts_.data(), position_.data()};
}

PackRun::Rows PackRun::last_rows(Workspace& workspace) {
  return {probes(), workspace.last.data(), one_each_.data(), last_position_.data()};
}

}  // namespace incipit::model
