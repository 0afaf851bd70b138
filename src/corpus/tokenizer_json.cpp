#include "corpus/tokenizer_json.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "refuse.hpp"

namespace incipit::corpus {
namespace {

AddedToken read_added_token(const nlohmann::json& value, const std::string& where) {
  const store::JsonObject json(value, where);
  AddedToken token;
  token.id = token_id(json.at("id"), where);
  token.content = json.text("content");
  token.special = json.boolean("special", false);
  token.normalized = json.boolean("normalized", !token.special);
  token.single_word = json.boolean("single_word", false);
  token.lstrip = json.boolean("lstrip", false);
  token.rstrip = json.boolean("rstrip", false);
  if (token.content.empty()) refuse(where, "its content is empty");
  return token;
}

/// A file whose ids are not those that the vocabulary gives would mean other numbers to other programs.
void check_added_id(const AddedToken& token, const Vocabulary& vocabulary, int32_t next,
                    const std::string& where) {
  const auto it = vocabulary.find(token.content);
  const int32_t expected = it == vocabulary.end() ? next : it->second;
  if (token.id != expected) {
    refuse(where, "'" + token.content + "' has the id " + std::to_string(token.id) + " where " +
                      std::to_string(expected) + " was expected");
  }
}

}  // namespace

std::string type_of(const store::JsonObject& json) {
  return json.text("type", "without a type");
}

int32_t token_id(const nlohmann::json& value, const std::string& where) {
  const bool fits = value.is_number_unsigned() &&
                    value.get<uint64_t>() < static_cast<uint64_t>(std::numeric_limits<int32_t>::max());
  if (!fits) refuse(where, "expected a token id, found " + store::JsonObject::shown(value));
  return value.get<int32_t>();
}

Vocabulary read_vocabulary(const store::JsonObject& model) {
  const nlohmann::json& entries = model.at("vocab");
  if (!entries.is_object()) refuse(model.where(), "'vocab' must be an object of tokens and ids");
  Vocabulary vocabulary;
  std::set<int32_t> ids;
  for (const auto& [token, value] : entries.items()) {
    const int32_t id = token_id(value, model.where() + ": vocab: '" + token + "'");
    if (!ids.insert(id).second) refuse(model.where(), "vocab: two tokens have the id " + std::to_string(id));
    vocabulary.emplace(token, id);
  }
  return vocabulary;
}

int32_t known_token(const Vocabulary& vocabulary, std::string_view token, const std::string& where) {
  const auto it = vocabulary.find(token);
  if (it == vocabulary.end()) refuse(where, "'" + std::string(token) + "' is not in the vocabulary");
  return it->second;
}

std::vector<AddedToken> read_added_tokens(const store::JsonObject& file, const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (!file.has("added_tokens")) return tokens;
  std::set<std::string> contents;
  const auto size = static_cast<int32_t>(vocabulary.size());
  int32_t next = size;
  for (const nlohmann::json& value : file.array("added_tokens")) {
    const std::string where = file.where() + ": added_tokens[" + std::to_string(tokens.size()) + "]";
    AddedToken token = read_added_token(value, where);
    if (!contents.insert(token.content).second) refuse(where, "'" + token.content + "' stands there twice");
    check_added_id(token, vocabulary, next, where);
    next = std::max(next, token.id + 1);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::vector<AddedToken> chosen_tokens(const std::vector<AddedToken>& tokens, bool normalized) {
  std::vector<AddedToken> chosen;
  for (const bool special : {true, false}) {
    for (const AddedToken& token : tokens) {
      if (token.special == special && token.normalized == normalized) chosen.push_back(token);
    }
  }
  return chosen;
}

}  // namespace incipit::corpus
