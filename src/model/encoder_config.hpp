#pragma once

#include <cstdint>
#include <filesystem>

namespace incipit::model {

/// The shape of a sentence encoder, as its config.json gives it: a BertModel, or an MPNetModel, whose
/// attention has a bias by the distance of two tokens and whose positions begin behind the padding's.
struct EncoderConfig {
  enum class Kind { bert, mpnet };
  Kind kind = Kind::bert;
  int64_t d = 0;  ///< width of the hidden state
  int64_t layers = 0;
  int64_t heads = 0;  ///< divides d
  int64_t mlp = 0;    ///< width inside the feed-forward part
  int64_t vocab = 0;
  int64_t positions = 0;  ///< rows of the position embedding
  int64_t types = 0;      ///< rows of the token type embedding, of which the first is used; 0 for MPNet
  int64_t buckets = 0;    ///< of distances, in MPNet; 0 for BERT
  int64_t pad_token = 0;
  double norm_eps = 1e-12;

  [[nodiscard]] int64_t head_size() const { return d / heads; }
  /// The position of a text's first token.
  [[nodiscard]] int64_t first_position() const { return kind == Kind::mpnet ? pad_token + 1 : 0; }
  /// Most tokens of a text, special ones included.
  [[nodiscard]] int64_t longest() const { return positions - first_position(); }

  bool operator==(const EncoderConfig&) const = default;
};

/// Reads config.json. Error io when it cannot be read; Error data, naming file, key, what was expected and
/// what was found, when it is no JSON, lacks a key, has an absurd value, or asks for what the two models of
/// `transformers` cannot do, or for an activation or positions that are not known here.
[[nodiscard]] EncoderConfig read_encoder_config(const std::filesystem::path& config_json);

}  // namespace incipit::model
