#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"

/// Small checkpoints that tests write for themselves.
namespace incipit::checkpoint {

struct TinyTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A safetensors file of any header and data, honest or not.
inline std::string safetensors_file(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return bytes_of<uint64_t>({size}) + header + data;
}

inline std::string safetensors_file(const std::vector<TinyTensor>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})", data;
  for (const TinyTensor& tensor : tensors) {
    header += ",\"" + tensor.name + R"(":{"dtype":")" + tensor.dtype + R"(","shape":)" + shown(tensor.shape) +
              R"(,"data_offsets":[)" + std::to_string(data.size()) + ",";
    data += tensor.bytes;
    header += std::to_string(data.size()) + "]}";
  }
  return safetensors_file(header + "}", data);
}

/// All tensors of a model, filled with 0, 1, 2, ... over each tensor, in F32.
inline std::vector<TinyTensor> tiny_tensors(const Config& config) {
  std::vector<TinyTensor> tensors;
  for (const auto& [name, shape] : expected_tensors(config)) {
    int64_t size = 1;
    for (const int64_t extent : shape) size *= extent;
    std::vector<float> values(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    tensors.push_back({name, "F32", shape, bytes_of(values)});
  }
  return tensors;
}

inline std::string tiny_config_text(int64_t d = 8) {
  return R"({"model_type": "gpt_neox", "vocab_size": 11, "hidden_size": )" + std::to_string(d) +
         R"(, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "rotary_pct": 0.5})";
}

inline Config tiny_config() {
  Config config;
  config.vocab = 11;
  config.d = 8;
  config.layers = 2;
  config.heads = 2;
  config.mlp = 12;
  config.context = 2048;
  config.rotary_fraction = 0.5;
  return config;
}

}  // namespace incipit::checkpoint
