#include "checkpoint/write_checkpoint.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "checkpoint/weights.hpp"
#include "error.hpp"
#include "store/files.hpp"

namespace incipit::checkpoint {
namespace {

const char* hidden_act(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_new:
      return "gelu_new";
    case Activation::gelu_fast:
      return "gelu_fast";
    case Activation::relu:
      return "relu";
  }
  throw Error(Exit::defect, "an activation without a name");
}

std::string config_text(const Config& config) {
  const nlohmann::ordered_json json = {{"architectures", {"GPTNeoXForCausalLM"}},
                                       {"model_type", config.model_type},
                                       {"vocab_size", config.vocab},
                                       {"hidden_size", config.d},
                                       {"num_hidden_layers", config.layers},
                                       {"num_attention_heads", config.heads},
                                       {"intermediate_size", config.mlp},
                                       {"max_position_embeddings", config.context},
                                       {"hidden_act", hidden_act(config.activation)},
                                       {"rotary_pct", config.rotary_fraction},
                                       {"rotary_emb_base", config.rotary_base},
                                       {"layer_norm_eps", config.norm_eps},
                                       {"use_parallel_residual", config.parallel_residual},
                                       {"attention_bias", config.attention_bias},
                                       {"tie_word_embeddings", config.tied_embeddings},
                                       {"torch_dtype", "float32"}};
  return json.dump(1) + "\n";
}

const std::vector<float>& values_of(const std::map<std::string, std::vector<float>>& tensors,
                                    const ExpectedTensor& expected) {
  const auto found = tensors.find(expected.name);
  int64_t size = 1;
  for (const int64_t extent : expected.shape) size *= extent;
  if (found == tensors.end() || static_cast<int64_t>(found->second.size()) != size)
    throw Error(Exit::defect,
                "a checkpoint to be written lacks " + expected.name + " of shape " + shown(expected.shape));
  return found->second;
}

std::string safetensors_text(const Config& config, const std::map<std::string, std::vector<float>>& tensors) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const ExpectedTensor& expected : expected_tensors(config)) {
    const std::vector<float>& values = values_of(tensors, expected);
    const std::size_t begin = data.size(), bytes = values.size() * sizeof(float);
    data.append(reinterpret_cast<const char*>(values.data()), bytes);
    header[expected.name] = {
        {"dtype", "F32"}, {"shape", expected.shape}, {"data_offsets", {begin, begin + bytes}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + text + data;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& folder, const Config& config,
                      const std::map<std::string, std::vector<float>>& tensors) {
  store::ensure_folder(folder);
  store::write_text_atomic(folder / "model.safetensors", safetensors_text(config, tensors));
  store::write_text_atomic(folder / "config.json", config_text(config));
}

}  // namespace incipit::checkpoint
