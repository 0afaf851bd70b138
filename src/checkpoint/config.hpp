#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace incipit::checkpoint {

/// The nonlinearity of the feed-forward part, by its name in config.json (`hidden_act`).
enum class Activation { gelu, gelu_new, gelu_fast, relu };

/// The shape of a GPT-NeoX model, as its config.json gives it.
struct Config {
  std::string model_type = "gpt_neox";
  int64_t vocab = 0;    ///< rows of the embedding (Pythia pads its 50,277 tokens to 50,304 and more)
  int64_t d = 0;        ///< width of the residual stream
  int64_t layers = 0;   ///< blocks; sites are layers 0..layers
  int64_t heads = 0;    ///< attention heads; divides d
  int64_t mlp = 0;      ///< width inside the feed-forward part
  int64_t context = 0;  ///< most tokens in one text
  double rotary_fraction = 0.25;
  double rotary_base = 10000;
  double norm_eps = 1e-5;
  bool parallel_residual = true;
  bool attention_bias = true;
  bool tied_embeddings = false;
  Activation activation = Activation::gelu;
  std::string dtype;  ///< as config.json names it ("float16"), empty when it does not; the weights decide

  [[nodiscard]] int64_t head_size() const { return d / heads; }
  /// Leading dimensions of each head that are rotated: the fraction of the head, rounded down; even.
  [[nodiscard]] int64_t rotary_dims() const;
  /// Parameters of all tensors: embedding, unembedding (once when tied), norms, biases.
  [[nodiscard]] int64_t params() const;
  /// params() less embedding and unembedding.
  [[nodiscard]] int64_t params_non_embedding() const;
  /// Floating-point operations of the blocks' matrix products per token (24·d²·layers where mlp = 4·d);
  /// the attention scores, which grow with the text, and the unembedding are left out.
  [[nodiscard]] double flops_per_token() const;

  bool operator==(const Config&) const = default;
};

/// Reads config.json. Error io when it cannot be read; Error data when it is no JSON, lacks a key, has an
/// absurd value, or asks for an architecture, activation or rope scaling this version does not know.
[[nodiscard]] Config read_config(const std::filesystem::path& file);

}  // namespace incipit::checkpoint
