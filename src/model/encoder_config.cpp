#include "model/encoder_config.hpp"

#include <string>

#include "refuse.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::model {
namespace {

// Far above any encoder there is, and small enough that no product of them overflows.
constexpr int64_t most_rows = int64_t{1} << 28;
constexpr int64_t widest = int64_t{1} << 20;
constexpr int64_t deepest = int64_t{1} << 12;

void refuse_key(const store::JsonObject& json, const char* key, const std::string& expected,
                const std::string& found) {
  refuse(json.where(), std::string("key '") + key + "': expected " + expected + ", found " + found);
}

void expect_text(const store::JsonObject& json, const char* key, const char* only) {
  const std::string found = json.text(key, only);
  if (found != only) refuse_key(json, key, std::string("'") + only + "'", "'" + found + "'");
}

void expect_integer(const store::JsonObject& json, const char* key, int64_t only) {
  const int64_t found = json.integer(key, only);
  if (found != only) refuse_key(json, key, std::to_string(only), std::to_string(found));
}

EncoderConfig::Kind kind_of(const store::JsonObject& json) {
  const std::string& type = json.text("model_type");
  if (type == "bert") return EncoderConfig::Kind::bert;
  if (type != "mpnet") refuse_key(json, "model_type", "'bert' or 'mpnet'", "'" + type + "'");
  return EncoderConfig::Kind::mpnet;
}

void read_bert(const store::JsonObject& json, EncoderConfig& config) {
  config.pad_token = json.integer("pad_token_id", 0);
  config.types = json.has("type_vocab_size") ? json.count("type_vocab_size", most_rows) : 2;
  expect_text(json, "position_embedding_type", "absolute");
  if (json.boolean("is_decoder", false)) refuse_key(json, "is_decoder", "false", "true");
}

/// `transformers` fixes padding and buckets of an MPNet, whatever its config says.
void read_mpnet(const store::JsonObject& json, EncoderConfig& config) {
  config.pad_token = 1;
  config.buckets = 32;
  expect_integer(json, "pad_token_id", config.pad_token);
  expect_integer(json, "relative_attention_num_buckets", config.buckets);
}

}  // namespace

EncoderConfig read_encoder_config(const std::filesystem::path& config_json) {
  const std::string where = config_json.string();
  const nlohmann::json parsed = store::parse_json(store::read_text(config_json), where);
  const store::JsonObject json(parsed, where);
  EncoderConfig config;
  config.kind = kind_of(json);
  config.d = json.count("hidden_size", widest);
  config.layers = json.count("num_hidden_layers", deepest);
  config.heads = json.count("num_attention_heads", config.d);
  config.mlp = json.count("intermediate_size", 4 * widest);
  config.vocab = json.count("vocab_size", most_rows);
  config.positions = json.count("max_position_embeddings", most_rows);
  config.norm_eps = json.number("layer_norm_eps", config.norm_eps);
  if (!(config.norm_eps > 0 && config.norm_eps < 1))
    refuse_key(json, "layer_norm_eps", "a number between 0 and 1", std::to_string(config.norm_eps));
  expect_text(json, "hidden_act", "gelu");
  config.kind == EncoderConfig::Kind::bert ? read_bert(json, config) : read_mpnet(json, config);
  if (config.d % config.heads != 0)
    refuse_key(json, "hidden_size",
               "a multiple of num_attention_heads, which is " + std::to_string(config.heads),
               std::to_string(config.d));
  if (config.longest() < 1)
    refuse_key(json, "max_position_embeddings", "more than " + std::to_string(config.first_position()),
               std::to_string(config.positions));
  return config;
}

}  // namespace incipit::model
