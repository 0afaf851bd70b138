#include "model/block_weights.hpp"

#include <string>

namespace incipit::model {
namespace {

/// Numbers of a block, each array rounded up so that the next begins on a cache line.
class Layout {
 public:
  std::size_t add(std::int64_t size) {
    const std::size_t here = total_;
    total_ += (static_cast<std::size_t>(size) + 31) / 32 * 32;
    return here;
  }
  [[nodiscard]] std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

constexpr const char* tensors_of_block[] = {"input_layernorm.weight",
                                            "input_layernorm.bias",
                                            "post_attention_layernorm.weight",
                                            "post_attention_layernorm.bias",
                                            "attention.query_key_value.weight",
                                            "attention.query_key_value.bias",
                                            "attention.dense.bias",
                                            "attention.dense.weight",
                                            "mlp.dense_h_to_4h.weight",
                                            "mlp.dense_h_to_4h.bias",
                                            "mlp.dense_4h_to_h.weight",
                                            "mlp.dense_4h_to_h.bias"};

std::string prefix_of(std::int64_t block) {
  return "gpt_neox.layers." + std::to_string(block) + ".";
}

std::size_t matrix_numbers(const checkpoint::Config& config) {
  Layout layout;
  layout.add(3 * config.d * config.d);
  layout.add(config.d * config.d);
  layout.add(config.mlp * config.d);
  layout.add(config.d * config.mlp);
  return layout.total();
}

std::size_t vector_numbers(const checkpoint::Config& config) {
  Layout layout;
  for (int i = 0; i < 4; ++i) layout.add(config.d);
  layout.add(3 * config.d);
  layout.add(config.d);
  layout.add(config.mlp);
  layout.add(config.d);
  return layout.total();
}

}  // namespace

template <device::Number T>
BlockWeights<T>::BlockWeights(device::Device& device, const checkpoint::Config& config)
    : heads_(config.heads),
      head_size_(config.head_size()),
      matrices_(device, matrix_numbers(config)),
      vectors_(device, vector_numbers(config)) {
  Layout matrices;
  qkv = matrices_.data() + matrices.add(3 * config.d * config.d);
  dense = matrices_.data() + matrices.add(config.d * config.d);
  up = matrices_.data() + matrices.add(config.mlp * config.d);
  down = matrices_.data() + matrices.add(config.d * config.mlp);
  Layout vectors;
  norm1 = vectors_.data() + vectors.add(config.d);
  norm1_bias = vectors_.data() + vectors.add(config.d);
  norm2 = vectors_.data() + vectors.add(config.d);
  norm2_bias = vectors_.data() + vectors.add(config.d);
  qkv_bias = vectors_.data() + vectors.add(3 * config.d);
  dense_bias = vectors_.data() + vectors.add(config.d);
  up_bias = vectors_.data() + vectors.add(config.mlp);
  down_bias = vectors_.data() + vectors.add(config.d);
  if (!config.attention_bias) qkv_bias = dense_bias = nullptr;
}

std::vector<checkpoint::Piece> pieces_of_block(const checkpoint::Weights& weights, std::int64_t block) {
  std::vector<checkpoint::Piece> pieces;
  for (const char* name : tensors_of_block)
    if (const checkpoint::Tensor* tensor = weights.find(prefix_of(block) + name))
      pieces.push_back({tensor, 0, tensor->rows()});
  return pieces;
}

template <device::Number T>
void BlockWeights<T>::read(TensorStream& stream, const checkpoint::Weights& weights, std::int64_t block) {
  const std::string prefix = prefix_of(block);
  const auto whole = [&](const char* name, auto* to) {
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

template <device::Number T>
template <device::Number N>
void BlockWeights<T>::read_by_head(TensorStream& stream, const checkpoint::Tensor& tensor, N* to) const {
  for (std::int64_t head = 0; head < heads_; ++head) {
    for (std::int64_t part = 0; part < 3; ++part) {
      const std::int64_t row = (part * heads_ + head) * head_size_;
      stream.read(tensor, (head * 3 + part) * head_size_, head_size_, to + row * tensor.row_size());
    }
  }
}

template <device::Number T>
std::size_t BlockWeights<T>::bytes(const checkpoint::Config& config) {
  return matrix_numbers(config) * sizeof(T) + vector_numbers(config) * sizeof(float);
}

template class BlockWeights<float>;
template class BlockWeights<device::Float16>;
template class BlockWeights<device::BFloat16>;

}  // namespace incipit::model
