#include <algorithm>
#include <set>
#include <utility>

#include "checkpoint/weights.hpp"
#include "error.hpp"

namespace incipit::checkpoint {
namespace {

bool is_of_head(std::string_view name) {
  return name.starts_with("gpt_neox.final_layer_norm.") || name == "embed_out.weight";
}

/// The file where there is but one, else the folder of all.
std::string place_of(const Weights& weights) {
  return (weights.files().size() == 1 ? weights.files().front() : weights.folder()).string();
}

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

void compare_tensors(const Weights& weights, std::span<const ExpectedTensor> expected,
                     const NamePredicate& dispensable, const NamePredicate& ignored,
                     const std::string& model) {
  std::vector<std::string> missing, wrong, surplus;
  std::set<std::string_view> known;
  for (const auto& [name, shape] : expected) {
    known.insert(name);
    const Tensor* const tensor = weights.find(name);
    if (tensor == nullptr) {
      if (!dispensable(name)) missing.push_back(name);
    } else if (tensor->shape != shape) {
      wrong.push_back(name + " has shape " + shown(tensor->shape) + " where config.json asks for " +
                      shown(shape));
    } else if (tensor->dtype == Dtype::other) {
      wrong.push_back(name + " has dtype " + tensor->dtype_name +
                      " where F16, BF16, F32 or F64 was expected");
    }
  }
  for (const auto& [name, tensor] : weights.tensors()) {
    if (!known.contains(name) && !ignored(name)) surplus.push_back(name);
  }
  std::string message;
  const auto report = [&](const std::vector<std::string>& names, const std::string& what) {
    if (!names.empty()) message += (message.empty() ? "" : "; ") + what + listed(names);
  };
  report(missing, std::to_string(missing.size()) + " missing: ");
  report(wrong, "");
  report(surplus, std::to_string(surplus.size()) + " that " + model + " of this shape does not have: ");
  if (!message.empty()) throw Error(Exit::data, place_of(weights) + ": tensors: " + message);
}

void check_tensors(const Weights& weights, const Config& config, Head head) {
  compare_tensors(
      weights, expected_tensors(config),
      [&](std::string_view name) { return head == Head::unneeded && is_of_head(name); },
      // A tied unembedding is sometimes saved though it is the embedding again.
      [&](std::string_view name) {
        return is_buffer(name) || (config.tied_embeddings && name == "embed_out.weight");
      },
      "a GPT-NeoX");
}

}  // namespace incipit::checkpoint
