#include "model/block_weights.hpp"

#include <string>

namespace incipit::model {
namespace {

/// Numbers of a block, each array rounded up so that the next begins on a cache line.
class Layout {
 public:
  std::size_t add(std::int64_t size) {
    const std::size_t here = total_;
    total_ += (static_cast<std::size_t>(size) + 15) / 16 * 16;
    return here;
  }
  [[nodiscard]] std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

std::size_t count(const checkpoint::Config& config) {
  Layout layout;
  for (int i = 0; i < 4; ++i) layout.add(config.d);
  layout.add(3 * config.d * config.d);
  layout.add(3 * config.d);
  layout.add(config.d * config.d);
  layout.add(config.d);
  layout.add(config.mlp * config.d);
  layout.add(config.mlp);
  layout.add(config.d * config.mlp);
  layout.add(config.d);
  return layout.total();
}

}  // namespace

BlockWeights::BlockWeights(device::Device& device, const checkpoint::Config& config)
    : heads_(config.heads), head_size_(config.head_size()), storage_(device, count(config)) {
  Layout layout;
  const auto place = [&](std::int64_t size) { return storage_.data() + layout.add(size); };
  norm1 = place(config.d);
  norm1_bias = place(config.d);
  norm2 = place(config.d);
  norm2_bias = place(config.d);
  qkv = place(3 * config.d * config.d);
  qkv_bias = place(3 * config.d);
  dense = place(config.d * config.d);
  dense_bias = place(config.d);
  up = place(config.mlp * config.d);
  up_bias = place(config.mlp);
  down = place(config.d * config.mlp);
  down_bias = place(config.d);
  if (!config.attention_bias) qkv_bias = dense_bias = nullptr;
}

void BlockWeights::read(TensorStream& stream, const checkpoint::Weights& weights, std::int64_t block) {
  const std::string prefix = "gpt_neox.layers." + std::to_string(block) + ".";
  const auto whole = [&](const char* name, float* to) {
    const checkpoint::Tensor& tensor = weights.at(prefix + name);
    stream.read(tensor, 0, tensor.rows(), to);
  };
  whole("input_layernorm.weight", norm1);
  whole("input_layernorm.bias", norm1_bias);
  whole("post_attention_layernorm.weight", norm2);
  whole("post_attention_layernorm.bias", norm2_bias);
  read_by_head(stream, weights.at(prefix + "attention.query_key_value.weight"), qkv);
  if (qkv_bias != nullptr) {
    read_by_head(stream, weights.at(prefix + "attention.query_key_value.bias"), qkv_bias);
    whole("attention.dense.bias", dense_bias);
  }
  whole("attention.dense.weight", dense);
  whole("mlp.dense_h_to_4h.weight", up);
  whole("mlp.dense_h_to_4h.bias", up_bias);
  whole("mlp.dense_4h_to_h.weight", down);
  whole("mlp.dense_4h_to_h.bias", down_bias);
}

void BlockWeights::read_by_head(TensorStream& stream, const checkpoint::Tensor& tensor, float* to) const {
  for (std::int64_t head = 0; head < heads_; ++head) {
    for (std::int64_t part = 0; part < 3; ++part) {
      const std::int64_t row = (part * heads_ + head) * head_size_;
      stream.read(tensor, (head * 3 + part) * head_size_, head_size_, to + row * tensor.row_size());
    }
  }
}

std::size_t BlockWeights::bytes(const checkpoint::Config& config) {
  return count(config) * sizeof(float);
}

}  // namespace incipit::model
