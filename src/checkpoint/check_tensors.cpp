#include <algorithm>
#include <set>
#include <utility>

#include "checkpoint/weights.hpp"
#include "error.hpp"

namespace incipit::checkpoint {
namespace {

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

}  // namespace

bool is_buffer(std::string_view name) {
  return name.ends_with(".attention.bias") || name.ends_with(".attention.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq");
}

std::vector<ExpectedTensor> expected_tensors(const Config& config) {
  const int64_t d = config.d, mlp = config.mlp;
  std::vector<ExpectedTensor> tensors{{"gpt_neox.embed_in.weight", {config.vocab, d}}};
  const auto add = [&](const std::string& name, std::vector<int64_t> weight, bool bias) {
    const int64_t rows = weight.front();
    tensors.push_back({name + ".weight", std::move(weight)});
    if (bias) tensors.push_back({name + ".bias", {rows}});
  };
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string block = "gpt_neox.layers." + std::to_string(layer) + ".";
    add(block + "input_layernorm", {d}, true);
    add(block + "post_attention_layernorm", {d}, true);
    add(block + "attention.query_key_value", {3 * d, d}, config.attention_bias);
    add(block + "attention.dense", {d, d}, config.attention_bias);
    add(block + "mlp.dense_h_to_4h", {mlp, d}, true);
    add(block + "mlp.dense_4h_to_h", {d, mlp}, true);
  }
  add("gpt_neox.final_layer_norm", {d}, true);
  if (!config.tied_embeddings) tensors.push_back({"embed_out.weight", {config.vocab, d}});
  return tensors;
}

void check_tensors(const Weights& weights, const Config& config) {
  std::vector<std::string> missing, wrong, surplus;
  std::set<std::string> known;
  for (const auto& [name, shape] : expected_tensors(config)) {
    known.insert(name);
    const Tensor* const tensor = weights.find(name);
    if (tensor == nullptr) {
      missing.push_back(name);
    } else if (tensor->shape != shape) {
      wrong.push_back(name + " has shape " + shown(tensor->shape) + " where config.json asks for " +
                      shown(shape));
    } else if (tensor->dtype == Dtype::other) {
      wrong.push_back(name + " has dtype " + tensor->dtype_name +
                      " where F16, BF16, F32 or F64 was expected");
    }
  }
  // A tied unembedding is sometimes saved though it is the embedding again.
  if (config.tied_embeddings) known.insert("embed_out.weight");
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!known.contains(name) && !is_buffer(name)) surplus.push_back(name);
  }
  std::string message;
  const auto report = [&](const std::vector<std::string>& names, const std::string& what) {
    if (!names.empty()) message += (message.empty() ? "" : "; ") + what + listed(names);
  };
  report(missing, std::to_string(missing.size()) + " missing: ");
  report(wrong, "");
  report(surplus, std::to_string(surplus.size()) + " that a GPT-NeoX of this shape does not have: ");
  if (!message.empty()) throw Error(Exit::data, weights.folder().string() + ": tensors: " + message);
}

}  // namespace incipit::checkpoint
