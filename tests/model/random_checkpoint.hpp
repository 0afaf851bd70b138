#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "random.hpp"

/// Writes GPT-NeoX checkpoints of any shape with random weights, as Hugging Face lays them out; tensors are
/// streamed, so the size of a checkpoint is bounded by the disk only.
namespace incipit::model {

struct RandomCheckpoint {
  checkpoint::Config config;
  checkpoint::Dtype dtype = checkpoint::Dtype::f16;
  int shards = 1;
  std::uint64_t seed = 1;
};

namespace random_checkpoint {

inline const char* name_of(checkpoint::Dtype dtype) {
  switch (dtype) {
    case checkpoint::Dtype::f16:
      return "F16";
    case checkpoint::Dtype::bf16:
      return "BF16";
    case checkpoint::Dtype::f32:
      return "F32";
    default:
      throw std::invalid_argument("random checkpoints are F16, BF16 or F32");
  }
}

inline const char* torch_name_of(checkpoint::Dtype dtype) {
  if (dtype == checkpoint::Dtype::f16) return "float16";
  return dtype == checkpoint::Dtype::bf16 ? "bfloat16" : "float32";
}

/// To the nearest half, ties to even, for |value| < 65504.
inline std::uint16_t half_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  const float magnitude = std::fabs(value);
  if (magnitude < 6.103515625e-05F) {  // subnormal: a multiple of 2⁻²⁴
    return static_cast<std::uint16_t>(sign |
                                      static_cast<std::uint16_t>(std::nearbyint(magnitude * 16777216.0F)));
  }
  const std::uint32_t kept = std::bit_cast<std::uint32_t>(magnitude) - (112U << 23U);
  const std::uint32_t rounded = kept + 0xfffU + ((kept >> 13U) & 1U);
  return static_cast<std::uint16_t>(sign | (rounded >> 13U));
}

inline std::uint16_t bfloat_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

inline void append(std::string& bytes, float value, checkpoint::Dtype dtype) {
  char raw[4];
  std::size_t size = 4;
  if (dtype == checkpoint::Dtype::f32) {
    std::memcpy(raw, &value, size);
  } else {
    const std::uint16_t bits = dtype == checkpoint::Dtype::f16 ? half_bits(value) : bfloat_bits(value);
    size = 2;
    std::memcpy(raw, &bits, size);
  }
  bytes.append(raw, size);
}

/// Mean and spread of a tensor's numbers: norms near one, so that nothing explodes with depth.
inline float draw(Random& random, bool norm_weight, float spread) {
  const float centred = static_cast<float>(random.bits32()) * 0x1p-32F - 0.5F;
  return norm_weight ? 1.0F + 0.2F * centred : spread * 3.4641016F * centred;
}

inline std::int64_t size_of(const checkpoint::ExpectedTensor& tensor) {
  std::int64_t size = 1;
  for (const std::int64_t extent : tensor.shape) size *= extent;
  return size;
}

inline void write_tensor(std::ofstream& out, const checkpoint::ExpectedTensor& tensor, std::uint64_t index,
                         const RandomCheckpoint& what) {
  Random random(what.seed, Purpose::random_weights, index);
  const bool norm_weight = tensor.name.find("norm") != std::string::npos && tensor.name.ends_with("weight");
  const float inputs = tensor.shape.size() == 2 ? static_cast<float>(tensor.shape[1]) : 100.0F;
  const bool embedding = tensor.name.find("embed_in") != std::string::npos;
  const float spread = embedding ? 0.5F : 1.0F / std::sqrt(inputs);
  std::string bytes;
  std::int64_t left = size_of(tensor);
  while (left > 0) {
    bytes.clear();
    for (std::int64_t i = std::min<std::int64_t>(left, 1 << 20); i > 0; --i, --left) {
      append(bytes, draw(random, norm_weight, spread), what.dtype);
    }
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

inline void write_shard(const std::filesystem::path& path,
                        const std::vector<checkpoint::ExpectedTensor>& tensors, std::uint64_t first_index,
                        const RandomCheckpoint& what) {
  std::string header = "{";
  std::int64_t offset = 0;
  const std::int64_t element = what.dtype == checkpoint::Dtype::f32 ? 4 : 2;
  for (const checkpoint::ExpectedTensor& tensor : tensors) {
    std::string shape;
    for (const std::int64_t extent : tensor.shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    const std::int64_t end = offset + size_of(tensor) * element;
    header += (header.size() > 1 ? ",\"" : "\"") + tensor.name + "\":{\"dtype\":\"" + name_of(what.dtype) +
              "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(offset) + "," +
              std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::ofstream out(path, std::ios::binary);
  const std::uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << header;
  for (std::size_t i = 0; i < tensors.size(); ++i) write_tensor(out, tensors[i], first_index + i, what);
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

inline void write_config(const std::filesystem::path& path, const RandomCheckpoint& what) {
  const checkpoint::Config& c = what.config;
  const char* activation = c.activation == checkpoint::Activation::gelu       ? "gelu"
                           : c.activation == checkpoint::Activation::gelu_new ? "gelu_new"
                           : c.activation == checkpoint::Activation::relu     ? "relu"
                                                                              : "gelu_fast";
  std::ofstream out(path);
  out.precision(17);
  out << "{\"architectures\": [\"GPTNeoXForCausalLM\"], \"model_type\": \"gpt_neox\", \"vocab_size\": "
      << c.vocab << ", \"hidden_size\": " << c.d << ", \"num_hidden_layers\": " << c.layers
      << ", \"num_attention_heads\": " << c.heads << ", \"intermediate_size\": " << c.mlp
      << ", \"max_position_embeddings\": " << c.context << ", \"hidden_act\": \"" << activation
      << "\", \"rotary_pct\": " << c.rotary_fraction << ", \"rotary_emb_base\": " << c.rotary_base
      << ", \"layer_norm_eps\": " << c.norm_eps << ", \"use_parallel_residual\": " << std::boolalpha
      << c.parallel_residual << ", \"attention_bias\": " << c.attention_bias
      << ", \"tie_word_embeddings\": " << c.tied_embeddings << ", \"torch_dtype\": \""
      << torch_name_of(what.dtype) << "\"}\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace random_checkpoint

/// Makes folder/{config.json, model.safetensors or shards with their index}.
inline void write_random_checkpoint(const std::filesystem::path& folder, const RandomCheckpoint& what) {
  std::filesystem::create_directories(folder);
  random_checkpoint::write_config(folder / "config.json", what);
  const std::vector<checkpoint::ExpectedTensor> tensors = checkpoint::expected_tensors(what.config);
  if (what.shards == 1) return random_checkpoint::write_shard(folder / "model.safetensors", tensors, 0, what);

  const auto shards = static_cast<std::size_t>(what.shards);
  std::ofstream index(folder / "model.safetensors.index.json");
  index << "{\"metadata\": {}, \"weight_map\": {";
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t begin = tensors.size() * shard / shards;
    const std::size_t end = tensors.size() * (shard + 1) / shards;
    const auto number = [](std::size_t i) {
      return (std::string(5, '0') + std::to_string(i)).substr(std::to_string(i).size());
    };
    const std::string name = "model-" + number(shard + 1) + "-of-" + number(shards) + ".safetensors";
    const auto at = [&](std::size_t i) { return tensors.begin() + static_cast<std::ptrdiff_t>(i); };
    random_checkpoint::write_shard(folder / name, {at(begin), at(end)}, begin, what);
    for (std::size_t i = begin; i < end; ++i) {
      index << (i == 0 ? "\"" : ", \"") << tensors[i].name << "\": \"" << name << "\"";
    }
  }
  index << "}}\n";
  if (!index.flush()) throw std::runtime_error("cannot write the index in " + folder.string());
}

}  // namespace incipit::model
