#include "model/encoder_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>

#include "index.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {
namespace {

/// Tensors of one shape that are kept one behind the other, and where a pointer to them goes.
struct Part {
  std::vector<std::string> names;
  std::vector<int64_t> shape;
  const float** to;
};

/// What the parts of a block are called.
struct BlockNames {
  std::vector<std::string> qkv;
  std::string dense, norm1;
};

BlockNames names_of(EncoderConfig::Kind kind) {
  if (kind == EncoderConfig::Kind::bert) {
    const std::string self = "attention.self.";
    return {{self + "query", self + "key", self + "value"},
            "attention.output.dense",
            "attention.output.LayerNorm"};
  }
  const std::string self = "attention.attn.";
  return {{self + "q", self + "k", self + "v"}, self + "o", "attention.LayerNorm"};
}

/// All tensors of an encoder by the names under `prefix`.
class Plan {
 public:
  explicit Plan(std::string prefix) : prefix_(std::move(prefix)) {}

  void add(const std::vector<std::string>& names, const std::string& suffix, std::vector<int64_t> shape,
           const float** to) {
    Part& part = parts_.emplace_back(Part{{}, std::move(shape), to});
    for (const std::string& name : names) part.names.push_back(prefix_ + name + suffix);
  }
  void add_layer(const std::vector<std::string>& names, std::vector<int64_t> shape, const float** weight,
                 const float** bias) {
    const int64_t outputs = shape.front();
    add(names, ".weight", std::move(shape), weight);
    add(names, ".bias", {outputs}, bias);
  }

  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  [[nodiscard]] std::vector<checkpoint::ExpectedTensor> expected() const {
    std::vector<checkpoint::ExpectedTensor> tensors;
    for (const Part& part : parts_)
      for (const std::string& name : part.names) tensors.push_back({name, part.shape});
    return tensors;
  }

 private:
  std::string prefix_;
  std::vector<Part> parts_;
};

void plan_block(const EncoderConfig& config, int64_t layer, EncoderBlock& block, Plan& plan) {
  const std::string name = "encoder.layer." + std::to_string(layer) + ".";
  const BlockNames names = names_of(config.kind);
  std::vector<std::string> qkv;
  for (const std::string& part : names.qkv) qkv.push_back(name + part);
  const int64_t d = config.d;
  plan.add_layer(qkv, {d, d}, &block.qkv, &block.qkv_bias);
  plan.add_layer({name + names.dense}, {d, d}, &block.dense, &block.dense_bias);
  plan.add_layer({name + names.norm1}, {d}, &block.norm1, &block.norm1_bias);
  plan.add_layer({name + "intermediate.dense"}, {config.mlp, d}, &block.up, &block.up_bias);
  plan.add_layer({name + "output.dense"}, {d, config.mlp}, &block.down, &block.down_bias);
  plan.add_layer({name + "output.LayerNorm"}, {d}, &block.norm2, &block.norm2_bias);
}

constexpr const char* words = "embeddings.word_embeddings";
constexpr const char* distances = "encoder.relative_attention_bias";

/// What stands before the tensors' names, if anything.
std::string prefix_in(const checkpoint::Weights& weights, EncoderConfig::Kind kind) {
  std::string prefix = kind == EncoderConfig::Kind::bert ? "bert." : "mpnet.";
  return weights.find(prefix + words + ".weight") != nullptr ? prefix : "";
}

void check(const checkpoint::Weights& weights, const EncoderConfig& config, const std::string& prefix,
           const std::vector<checkpoint::ExpectedTensor>& expected) {
  const auto ignored = [&](std::string_view name) {
    if (!name.starts_with(prefix)) return true;
    name.remove_prefix(prefix.size());
    const bool ours = name.starts_with("encoder.") || name.starts_with("embeddings.");
    return !ours || name == "embeddings.position_ids" || name == "embeddings.token_type_ids";
  };
  compare_tensors(
      weights, expected, [](std::string_view) { return false; }, ignored,
      config.kind == EncoderConfig::Kind::bert ? "a BertModel" : "an MPNetModel");
}

device::Buffer<float> read(device::Device& device, TensorStream& stream, const checkpoint::Weights& weights,
                           const std::vector<std::string>& names) {
  std::size_t size = 0;
  for (const std::string& name : names) size += at(weights.at(name).size());
  device::Buffer<float> buffer(device, size);
  float* to = buffer.data();
  for (const std::string& name : names) {
    const checkpoint::Tensor& tensor = weights.at(name);
    stream.read(tensor, 0, tensor.rows(), to);
    to += tensor.size();
  }
  return buffer;
}

/// [heads, 2 · longest − 1] of a table [buckets, heads].
std::vector<float> by_distance(const EncoderConfig& config, const std::vector<float>& table) {
  std::vector<float> bias;
  for (int64_t head = 0; head < config.heads; ++head) {
    for (int64_t distance = 1 - config.longest(); distance < config.longest(); ++distance)
      bias.push_back(table[at(distance_bucket(distance, config.buckets) * config.heads + head)]);
  }
  return bias;
}

}  // namespace

int64_t distance_bucket(int64_t distance, int64_t buckets) {
  constexpr float farthest = 128;
  const int64_t side = buckets / 2;
  const int64_t near = side / 2;
  const int64_t n = std::abs(distance);
  int64_t bucket = n;
  if (n >= near) {
    const auto start = static_cast<float>(near);
    const auto range = static_cast<float>(std::log(static_cast<double>(farthest / start)));
    const float place = std::log(static_cast<float>(n) / start) / range * static_cast<float>(side - near);
    bucket = std::min(near + static_cast<int64_t>(place), side - 1);
  }
  return distance > 0 ? side + bucket : bucket;
}

EncoderWeights::EncoderWeights(device::Device& device, const checkpoint::Weights& weights,
                               const EncoderConfig& config)
    : blocks(at(config.layers)) {
  const std::string prefix = prefix_in(weights, config.kind);
  const bool bert = config.kind == EncoderConfig::Kind::bert;
  Plan plan(prefix);
  plan.add({words}, ".weight", {config.vocab, config.d}, &word);
  plan.add({"embeddings.position_embeddings"}, ".weight", {config.positions, config.d}, &place);
  plan.add_layer({"embeddings.LayerNorm"}, {config.d}, &norm, &norm_bias);
  if (bert) plan.add({"embeddings.token_type_embeddings"}, ".weight", {config.types, config.d}, &type);
  if (!bert) plan.add({distances}, ".weight", {config.buckets, config.heads}, &distance_bias);
  for (int64_t layer = 0; layer < config.layers; ++layer) plan_block(config, layer, blocks[at(layer)], plan);
  check(weights, config, prefix, plan.expected());

  TensorStream stream(device, weights, nullptr, "choose another match.encoder");
  for (const Part& part : plan.parts()) *part.to = keep(read(device, stream, weights, part.names));
  if (bert) return;
  std::vector<float> table(at(config.buckets * config.heads));
  device.download(table.data(), distance_bias, table.size() * sizeof(float));
  distance_bias = keep(device::Buffer<float>(device, std::span<const float>(by_distance(config, table))));
}

const float* EncoderWeights::keep(device::Buffer<float> values) {
  return buffers_.emplace_back(std::move(values)).data();
}

}  // namespace incipit::model
