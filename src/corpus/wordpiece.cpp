#include "corpus/wordpiece.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "corpus/added_tokens.hpp"
#include "corpus/bert_text.hpp"
#include "corpus/tokenizer_json.hpp"
#include "corpus/utf8.hpp"
#include "error.hpp"
#include "refuse.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::corpus {

namespace fs = std::filesystem;

/// What stands around the ids of a text.
struct Frame {
  std::vector<int32_t> before, after;
};

namespace {

using Json = nlohmann::json;

void expect_type(const store::JsonObject& json, const char* expected, const char* why) {
  if (type_of(json) != expected) {
    refuse(json.where(),
           "type '" + type_of(json) + "' is not known here; expected '" + expected + "', " + why);
  }
}

Vocabulary read_pieces(const store::JsonObject& file) {
  const store::JsonObject model = file.object("model");
  expect_type(model, "WordPiece", "the tokenizer of BERT and MPNet encoders");
  return read_vocabulary(model);
}

/// Characters of a word beyond which it is not looked up.
int64_t read_longest_word(const store::JsonObject& model) {
  const int64_t count = model.integer("max_input_chars_per_word", 100);
  if (count < 0) refuse(model.where(), "max_input_chars_per_word is " + std::to_string(count));
  return count;
}

BertNormalizer read_bert_normalizer(const store::JsonObject& file, bool lower_case) {
  if (!file.has("normalizer")) return {false, false, false, lower_case};
  const store::JsonObject json = file.object("normalizer");
  expect_type(json, "BertNormalizer", "or null");
  BertNormalizer normalizer;
  normalizer.clean_text = json.boolean("clean_text", true);
  normalizer.handle_chinese_chars = json.boolean("handle_chinese_chars", true);
  normalizer.lowercase = json.boolean("lowercase", true);
  normalizer.strip_accents = json.boolean("strip_accents", normalizer.lowercase);
  normalizer.lowercase = normalizer.lowercase || lower_case;
  return normalizer;
}

/// ["[SEP]", 102]
int32_t read_token_pair(const store::JsonObject& json, const char* key) {
  const Json& pair = json.array(key);
  if (pair.size() != 2 || !pair[0].is_string()) {
    refuse(json.where(), std::string("key '") + key + "': expected a token and its id, found " +
                             store::JsonObject::shown(pair));
  }
  return token_id(pair[1], json.where() + ": key '" + key + "'");
}

void append_special(const store::JsonObject& processor, const std::string& token, std::vector<int32_t>& ids) {
  const store::JsonObject entry = processor.object("special_tokens").object(token.c_str());
  for (const Json& id : entry.array("ids")) ids.push_back(token_id(id, entry.where()));
}

/// `single` of a TemplateProcessing: special tokens, the text once, special tokens.
Frame read_template(const store::JsonObject& processor) {
  Frame frame;
  int texts = 0;
  for (const Json& value : processor.array("single")) {
    const store::JsonObject part(value, processor.where() + ": key 'single'");
    if (part.has("Sequence")) {
      ++texts;
    } else {
      append_special(processor, part.object("SpecialToken").text("id"),
                     texts == 0 ? frame.before : frame.after);
    }
  }
  if (texts != 1)
    refuse(processor.where(), "key 'single': expected one Sequence, found " + std::to_string(texts));
  return frame;
}

Frame read_frame(const store::JsonObject& file) {
  if (!file.has("post_processor")) return {};
  const store::JsonObject processor = file.object("post_processor");
  const std::string type = type_of(processor);
  if (type == "TemplateProcessing") return read_template(processor);
  if (type != "BertProcessing" && type != "RobertaProcessing") {
    refuse(processor.where(), "type '" + type +
                                  "' is not known; expected null, 'TemplateProcessing', 'BertProcessing' or "
                                  "'RobertaProcessing'");
  }
  return {{read_token_pair(processor, "cls")}, {read_token_pair(processor, "sep")}};
}

/// Patterns of normalized tokens are normalized as texts are.
AddedTokenFinder make_bert_finder(const std::vector<AddedToken>& tokens, const BertNormalizer* normalizer,
                                  const std::string& where) {
  std::vector<AddedToken> chosen = chosen_tokens(tokens, normalizer != nullptr);
  std::vector<std::string> patterns;
  for (const AddedToken& token : chosen) {
    patterns.push_back(normalizer == nullptr ? token.content : normalizer->apply(token.content));
    if (patterns.back().empty()) {
      refuse(where, "added_tokens: nothing is left of '" + token.content + "' when it is normalized");
    }
  }
  return {std::move(chosen), patterns};
}

/// The tokens of a vocab.txt, by line.
Json read_vocabulary_lines(const fs::path& path) {
  Json vocabulary = Json::object();
  std::istringstream lines(store::read_text(path));
  uint32_t id = 0;
  for (std::string line; std::getline(lines, line); ++id) {
    if (line.ends_with('\r')) line.pop_back();
    if (first_invalid_utf8(line) != std::string_view::npos) {
      refuse(path, "line " + std::to_string(id + 1) + " is not valid UTF-8");
    }
    if (!vocabulary.emplace(line, id).second) {
      refuse(path, "line " + std::to_string(id + 1) + ": '" + line + "' stands there twice");
    }
  }
  return vocabulary;
}

/// One special token of a tokenizer_config.json, which is its text or an object, as `added_tokens` has it.
Json special_token(const store::JsonObject& config, const char* key, const Json& otherwise) {
  Json token = config.has(key) ? config.at(key) : otherwise;
  if (token.is_string()) token = Json{{"content", token}};
  if (!token.is_object()) {
    refuse(config.where(),
           std::string("key '") + key + "': expected a token, found " + store::JsonObject::shown(token));
  }
  token["special"] = true;
  token["normalized"] = false;
  return token;
}

Json added_token_list(const store::JsonObject& config, const Json& defaults, const Json& vocabulary) {
  Json list = Json::array();
  std::set<std::string> seen;
  for (const auto& [key, otherwise] : defaults.items()) {
    Json token = special_token(config, key.c_str(), otherwise);
    const std::string content =
        store::JsonObject(token, config.where() + ": key '" + key + "'").text("content");
    if (!vocabulary.contains(content)) {
      refuse(config.where(), "key '" + key + "': '" + content + "' is not in vocab.txt");
    }
    token["id"] = vocabulary[content];
    if (seen.insert(content).second) list.push_back(std::move(token));
  }
  return list;
}

/// The special tokens of a class of tokenizers where its config names no others.
Json default_tokens(const store::JsonObject& config) {
  const std::string kind = config.text("tokenizer_class", "none");
  if (kind == "BertTokenizer" || kind == "BertTokenizerFast") {
    return {{"cls_token", "[CLS]"},
            {"sep_token", "[SEP]"},
            {"unk_token", "[UNK]"},
            {"pad_token", "[PAD]"},
            {"mask_token", "[MASK]"}};
  }
  if (kind == "MPNetTokenizer" || kind == "MPNetTokenizerFast") {
    return {{"cls_token", "<s>"},
            {"sep_token", "</s>"},
            {"unk_token", "[UNK]"},
            {"pad_token", "<pad>"},
            {"mask_token", Json{{"content", "<mask>"}, {"lstrip", true}}}};
  }
  refuse(config.where(),
         "tokenizer_class '" + kind + "' is not known here; expected BertTokenizer or MPNetTokenizer");
}

/// What tokenizer.json would hold where a folder has none.
Json describe(const fs::path& folder) {
  const fs::path config_file = folder / "tokenizer_config.json";
  const Json values = store::parse_json(store::read_text(config_file), config_file.string());
  const store::JsonObject config(values, config_file.string());
  const Json defaults = default_tokens(config);
  Json vocabulary = read_vocabulary_lines(folder / "vocab.txt");
  const auto token = [&](const char* key) { return special_token(config, key, defaults[key])["content"]; };
  Json description{{"added_tokens", added_token_list(config, defaults, vocabulary)},
                   {"normalizer",
                    {{"type", "BertNormalizer"},
                     {"handle_chinese_chars", config.boolean("tokenize_chinese_chars", true)},
                     {"lowercase", config.boolean("do_lower_case", true)},
                     {"strip_accents", config.has("strip_accents") ? config.at("strip_accents") : Json()}}},
                   {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                   {"post_processor",
                    {{"type", "BertProcessing"},
                     {"cls", {token("cls_token"), vocabulary[token("cls_token")]}},
                     {"sep", {token("sep_token"), vocabulary[token("sep_token")]}}}},
                   {"model", {{"type", "WordPiece"}, {"unk_token", token("unk_token")}}}};
  description["model"]["vocab"] = std::move(vocabulary);
  return description;
}

}  // namespace

class WordPiece::Implementation {
 public:
  Implementation(const store::JsonObject& file, bool lower_case)
      : vocabulary_(read_pieces(file)),
        prefix_(file.object("model").text("continuing_subword_prefix", "##")),
        longest_word_(read_longest_word(file.object("model"))),
        unknown_(known_token(vocabulary_, file.object("model").text("unk_token", "[UNK]"),
                             file.where() + ": key 'model': unk_token")),
        normalizer_(read_bert_normalizer(file, lower_case)),
        frame_(read_frame(file)),
        added_(read_added_tokens(file, vocabulary_)),
        raw_finder_(make_bert_finder(added_, nullptr, file.where())),
        normal_finder_(make_bert_finder(added_, &normalizer_, file.where())) {
    expect_type(file.object("pre_tokenizer"), "BertPreTokenizer",
                "which splits at white space and punctuation");
    for (const auto& [piece, id] : vocabulary_) {
      size_ = std::max<int64_t>(size_, id + int64_t{1});
      longest_piece_ = std::max(longest_piece_, piece.size());
    }
    for (const AddedToken& token : added_) size_ = std::max<int64_t>(size_, token.id + int64_t{1});
    for (const auto* ids : {&frame_.before, &frame_.after}) {
      for (const int32_t id : *ids) {
        if (id >= size_) refuse(file.where(), "post_processor: there is no token " + std::to_string(id));
      }
    }
  }

  [[nodiscard]] std::vector<int32_t> encode(std::string_view text, int64_t max_length) const {
    if (const std::size_t at = first_invalid_utf8(text); at != std::string_view::npos) {
      throw Error(Exit::data, "the text is not valid UTF-8 at byte " + std::to_string(at));
    }
    const auto frame = static_cast<int64_t>(frame_.before.size() + frame_.after.size());
    if (max_length < frame) {
      throw Error(Exit::data, "a text of at most " + std::to_string(max_length) +
                                  " tokens has no place for the " + std::to_string(frame) +
                                  " that the tokenizer puts around it");
    }
    std::vector<int32_t> ids = frame_.before;
    append_text(text, ids);
    const auto kept = static_cast<std::size_t>(max_length) - frame_.after.size();
    if (ids.size() > kept) ids.resize(kept);
    ids.insert(ids.end(), frame_.after.begin(), frame_.after.end());
    return ids;
  }

  [[nodiscard]] int64_t size() const { return size_; }

 private:
  void append_text(std::string_view text, std::vector<int32_t>& ids) const {
    for (const Piece& raw : raw_finder_.cut(text)) {
      if (raw.token >= 0) {
        ids.push_back(raw.token);
        continue;
      }
      const std::string normal = normalizer_.apply(raw.text);
      for (const Piece& piece : normal_finder_.cut(normal)) {
        if (piece.token >= 0) {
          ids.push_back(piece.token);
        } else {
          for (const std::string_view word : bert_words(piece.text)) append_word(word, ids);
        }
      }
    }
  }

  /// The word's pieces, or the unknown token where some part of it is in no vocabulary.
  void append_word(std::string_view word, std::vector<int32_t>& ids) const {
    const std::size_t before = ids.size();
    bool known = word.size() <= static_cast<std::size_t>(longest_word_) || characters(word) <= longest_word_;
    std::string candidate;
    for (std::size_t begin = 0; known && begin < word.size();) {
      candidate = begin > 0 ? prefix_ : "";
      const std::size_t room = longest_piece_ - std::min(longest_piece_, candidate.size());
      candidate += word.substr(begin, room);
      const std::size_t added = begin > 0 ? prefix_.size() : 0;
      const int32_t id = longest_match(candidate, added);
      known = id >= 0;
      ids.push_back(id);
      begin += candidate.size() - added;
    }
    if (known) return;
    ids.resize(before);
    ids.push_back(unknown_);
  }

  /// Shortens the candidate by characters until the vocabulary has it; -1 where only `least` bytes are left.
  int32_t longest_match(std::string& candidate, std::size_t least) const {
    for (; candidate.size() > least; candidate.pop_back()) {
      const auto found = vocabulary_.find(candidate);
      if (found != vocabulary_.end()) return found->second;
    }
    return -1;
  }

  static int64_t characters(std::string_view word) {
    return std::count_if(word.begin(), word.end(), [](char c) { return !continues_character(c); });
  }

  Vocabulary vocabulary_;
  std::string prefix_;
  int64_t longest_word_;
  int32_t unknown_;
  BertNormalizer normalizer_;
  Frame frame_;
  std::vector<AddedToken> added_;
  AddedTokenFinder raw_finder_, normal_finder_;
  std::size_t longest_piece_ = 0;
  int64_t size_ = 0;
};

WordPiece::WordPiece(std::unique_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}
WordPiece::WordPiece(WordPiece&&) noexcept = default;
WordPiece& WordPiece::operator=(WordPiece&&) noexcept = default;
WordPiece::~WordPiece() = default;

std::vector<fs::path> WordPiece::files(const fs::path& folder) {
  const fs::path whole = folder / "tokenizer.json";
  if (fs::exists(whole)) return {whole};
  std::vector<fs::path> parts{folder / "vocab.txt", folder / "tokenizer_config.json"};
  for (const fs::path& part : parts) {
    if (!fs::exists(part)) {
      refuse(folder, "expected tokenizer.json, or vocab.txt and tokenizer_config.json, found no " +
                         part.filename().string());
    }
  }
  return parts;
}

WordPiece WordPiece::load(const fs::path& folder, bool lower_case) {
  const std::vector<fs::path> sources = files(folder);
  const std::string where = sources.front().string();
  const Json description =
      sources.size() == 1 ? store::parse_json(store::read_text(sources.front()), where) : describe(folder);
  return WordPiece(std::make_unique<const Implementation>(store::JsonObject(description, where), lower_case));
}

std::vector<int32_t> WordPiece::encode(std::string_view utf8, int64_t max_length) const {
  return implementation_->encode(utf8, max_length);
}

int64_t WordPiece::vocab_size() const {
  return implementation_->size();
}

}  // namespace incipit::corpus
