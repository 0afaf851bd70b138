#include "checkpoint/config.hpp"

#include <cmath>
#include <utility>

#include "error.hpp"
#include "refuse.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::checkpoint {
namespace {

// Far above any model there is, and small enough that no product of them overflows.
constexpr int64_t most_rows = int64_t{1} << 28;
constexpr int64_t widest = int64_t{1} << 20;
constexpr int64_t deepest = int64_t{1} << 12;

Activation parse_activation(const std::string& name, const std::string& where) {
  if (name == "gelu") return Activation::gelu;
  // The same tanh formula under two names.
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_new;
  if (name == "gelu_fast") return Activation::gelu_fast;
  if (name == "relu") return Activation::relu;
  refuse(where, "hidden_act '" + name + "' is not known; known are gelu, gelu_new, gelu_pytorch_tanh, " +
                    "gelu_fast and relu");
}

/// Anything but the plain rotary embedding changes every number of the forward pass.
void refuse_rope_scaling(const store::JsonObject& rope) {
  for (const char* key : {"rope_type", "type"}) {
    const std::string kind = rope.text(key, "default");
    if (kind != "default") {
      refuse(rope.where(), "rope scaling '" + kind + "' is not supported; only 'default' is");
    }
  }
}

void read_rotary(const store::JsonObject& json, Config& config) {
  config.rotary_fraction = json.number("rotary_pct", config.rotary_fraction);
  config.rotary_base = json.number("rotary_emb_base", json.number("rope_theta", config.rotary_base));
  if (json.has("rope_scaling")) refuse_rope_scaling(json.object("rope_scaling"));
  if (json.has("rope_parameters")) {
    const store::JsonObject rope = json.object("rope_parameters");
    refuse_rope_scaling(rope);
    config.rotary_fraction = rope.number("partial_rotary_factor", config.rotary_fraction);
    config.rotary_base = rope.number("rope_theta", config.rotary_base);
  }
  if (!(config.rotary_fraction >= 0 && config.rotary_fraction <= 1)) {
    refuse(json.where(), "the rotary fraction (rotary_pct) must lie in 0..1, found " +
                             std::to_string(config.rotary_fraction));
  }
  if (!(config.rotary_base > 0) || !std::isfinite(config.rotary_base)) {
    refuse(json.where(), "the rotary base (rotary_emb_base) must be a positive number, found " +
                             std::to_string(config.rotary_base));
  }
}

void check_heads(const Config& config, const std::string& where) {
  if (config.d % config.heads != 0) {
    refuse(where, "hidden_size " + std::to_string(config.d) + " is no multiple of num_attention_heads " +
                      std::to_string(config.heads));
  }
  if (config.rotary_dims() % 2 != 0) {
    refuse(where, "the rotary part of a head has " + std::to_string(config.rotary_dims()) +
                      " dimensions (head size " + std::to_string(config.head_size()) +
                      " times rotary_pct); an even number is needed");
  }
}

}  // namespace

int64_t Config::rotary_dims() const {
  return static_cast<int64_t>(static_cast<double>(head_size()) * rotary_fraction);
}

int64_t Config::params_non_embedding() const {
  const int64_t attention = 4 * d * d + (attention_bias ? 4 * d : 0);
  const int64_t feed_forward = 2 * d * mlp + mlp + d;
  const int64_t norms = 4 * d;
  return layers * (attention + feed_forward + norms) + 2 * d;
}

int64_t Config::params() const {
  return params_non_embedding() + (tied_embeddings ? 1 : 2) * vocab * d;
}

double Config::flops_per_token() const {
  const double width = static_cast<double>(d);
  return 2.0 * static_cast<double>(layers) * width * (4.0 * width + 2.0 * static_cast<double>(mlp));
}

Config read_config(const std::filesystem::path& file) {
  const std::string where = file.string();
  const nlohmann::json parsed = store::parse_json(store::read_text(file), where);
  const store::JsonObject json(parsed, where);
  Config config;
  config.model_type = json.text("model_type");
  if (config.model_type != "gpt_neox") {
    refuse(where, "model_type '" + config.model_type + "' is not known to this version; expected 'gpt_neox'");
  }
  config.vocab = json.count("vocab_size", most_rows);
  config.d = json.count("hidden_size", widest);
  config.layers = json.count("num_hidden_layers", deepest);
  config.heads = json.count("num_attention_heads", config.d);
  config.mlp = json.count("intermediate_size", 4 * widest);
  config.context =
      json.has("max_position_embeddings") ? json.count("max_position_embeddings", most_rows) : 2048;
  config.norm_eps = json.number("layer_norm_eps", config.norm_eps);
  if (!(config.norm_eps > 0 && config.norm_eps < 1)) {
    refuse(where, "layer_norm_eps must lie between 0 and 1, found " + std::to_string(config.norm_eps));
  }
  config.parallel_residual = json.boolean("use_parallel_residual", config.parallel_residual);
  config.attention_bias = json.boolean("attention_bias", config.attention_bias);
  config.tied_embeddings = json.boolean("tie_word_embeddings", config.tied_embeddings);
  config.activation = parse_activation(json.text("hidden_act", "gelu"), where);
  config.dtype = json.text("torch_dtype", json.text("dtype", "").c_str());
  read_rotary(json, config);
  check_heads(config, where);
  return config;
}

}  // namespace incipit::checkpoint
