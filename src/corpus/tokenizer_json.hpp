#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "corpus/added_tokens.hpp"
#include "store/json.hpp"

/// What tokenizers of every kind have in common in a tokenizer.json. All of it throws Error data naming the
/// file and the place in it.
namespace incipit::corpus {

/// Lets a vocabulary be searched for a part of a text without making a string of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Vocabulary = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

/// The member `type`, or "without a type".
[[nodiscard]] std::string type_of(const store::JsonObject& json);

[[nodiscard]] int32_t token_id(const nlohmann::json& value, const std::string& where);

/// `vocab` of a model that maps tokens to ids; no id may stand there twice.
[[nodiscard]] Vocabulary read_vocabulary(const store::JsonObject& model);

[[nodiscard]] int32_t known_token(const Vocabulary& vocabulary, std::string_view token,
                                  const std::string& where);

/// `added_tokens` of a file; none where there is no such key.
[[nodiscard]] std::vector<AddedToken> read_added_tokens(const store::JsonObject& file,
                                                        const Vocabulary& vocabulary);

/// Of `tokens` those to be found before (false) or after (true) normalization, special ones first.
[[nodiscard]] std::vector<AddedToken> chosen_tokens(const std::vector<AddedToken>& tokens, bool normalized);

}  // namespace incipit::corpus
