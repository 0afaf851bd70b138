#include "corpus/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>

#include "corpus/added_tokens.hpp"
#include "corpus/bpe.hpp"
#include "corpus/byte_alphabet.hpp"
#include "corpus/normalization.hpp"
#include "corpus/tokenizer_json.hpp"
#include "corpus/utf8.hpp"
#include "corpus/word_split.hpp"
#include "error.hpp"
#include "refuse.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::corpus {

struct ByteLevel {
  bool add_prefix_space = true;
  bool use_regex = true;
};

namespace {

/// The bytes a vocabulary entry stands for; the entry itself where it has a character that stands for none.
std::string bytes_of(const std::string& entry) {
  static const auto byte_of = [] {
    std::unordered_map<std::string_view, char> table;
    for (unsigned byte = 0; byte < 256; ++byte) table[byte_alphabet()[byte]] = static_cast<char>(byte);
    return table;
  }();
  std::string bytes;
  for (std::string_view rest = entry; !rest.empty();) {
    const std::string_view character = first_characters(rest, 1);
    const auto byte = byte_of.find(character);
    if (byte == byte_of.end()) return entry;
    bytes += byte->second;
    rest.remove_prefix(character.size());
  }
  return bytes;
}

/// The text a vocabulary entry stands for, or the entry itself where its bytes are no text of their own.
std::string readable(const std::string& entry) {
  std::string bytes = bytes_of(entry);
  return first_invalid_utf8(bytes) == std::string_view::npos ? bytes : entry;
}

/// Whether the byte can stand in UTF-8 at all; vocabularies often leave the others out.
bool occurs_in_utf8(unsigned byte) {
  return byte != 0xc0 && byte != 0xc1 && byte < 0xf5;
}

/// Both spellings of a merge: "a b" and ["a", "b"]. False for the version line of old files.
bool read_merge(const nlohmann::json& value, const std::string& where,
                std::pair<std::string, std::string>& pair) {
  if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string()) {
    pair = {value[0].get<std::string>(), value[1].get<std::string>()};
    return true;
  }
  if (!value.is_string())
    refuse(where, "expected \"a b\" or [\"a\", \"b\"], found " + store::JsonObject::shown(value));
  const auto& text = value.get_ref<const std::string&>();
  if (text.starts_with("#version")) return false;
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    refuse(where, "expected two tokens and one space between them, found " + store::JsonObject::shown(value));
  }
  pair = {text.substr(0, space), text.substr(space + 1)};
  return true;
}

MergeTable read_merges(const store::JsonObject& model, const Vocabulary& vocabulary) {
  std::vector<MergeTable::Merge> merges;
  std::size_t line = 0;
  for (const nlohmann::json& value : model.array("merges")) {
    const std::string where = model.where() + ": merges[" + std::to_string(line++) + "]";
    std::pair<std::string, std::string> pair;
    if (!read_merge(value, where, pair)) continue;
    merges.push_back({known_token(vocabulary, pair.first, where), known_token(vocabulary, pair.second, where),
                      static_cast<int32_t>(merges.size()),
                      known_token(vocabulary, pair.first + pair.second, where)});
  }
  return MergeTable(merges);
}

void check_model(const store::JsonObject& model) {
  if (type_of(model) != "BPE")
    refuse(model.where(), "type '" + type_of(model) + "' is not known; expected 'BPE'");
  if (model.number("dropout", 0) != 0) refuse(model.where(), "dropout makes tokens random; expected none");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.text(key, "").empty()) refuse(model.where(), std::string("'") + key + "' is not supported");
  }
}

/// Whether texts are brought to NFC.
bool read_normalizer(const store::JsonObject& normalizer) {
  const std::string type = type_of(normalizer);
  if (type == "NFC") return true;
  if (type == "Sequence") {
    bool any = false;
    for (const nlohmann::json& member : normalizer.array("normalizers")) {
      any = read_normalizer(store::JsonObject(member, normalizer.where())) || any;
    }
    return any;
  }
  refuse(normalizer.where(), "type '" + type + "' is not known; expected null or 'NFC'");
}

ByteLevel read_pre_tokenizer(const store::JsonObject& json) {
  const std::string type = type_of(json);
  if (type == "Sequence" && json.array("pretokenizers").size() == 1) {
    return read_pre_tokenizer(store::JsonObject(json.array("pretokenizers")[0], json.where()));
  }
  if (type != "ByteLevel") refuse(json.where(), "type '" + type + "' is not known; expected 'ByteLevel'");
  return {json.boolean("add_prefix_space", true), json.boolean("use_regex", true)};
}

/// The tokens to be found before (false) or after (true) normalization.
AddedTokenFinder make_finder(const std::vector<AddedToken>& tokens, bool normalized, bool to_nfc) {
  std::vector<AddedToken> chosen = chosen_tokens(tokens, normalized);
  std::vector<std::string> patterns;
  for (const AddedToken& token : chosen)
    patterns.push_back(normalized && to_nfc ? nfc(token.content) : token.content);
  return {std::move(chosen), patterns};
}

}  // namespace

class Tokenizer::Implementation {
 public:
  explicit Implementation(const store::JsonObject& file)
      : vocabulary_(read_model_vocabulary(file)),
        merges_(read_merges(file.object("model"), vocabulary_)),
        ignore_merges_(file.object("model").boolean("ignore_merges", false)),
        to_nfc_(file.has("normalizer") && read_normalizer(file.object("normalizer"))),
        byte_level_(read_pre_tokenizer(file.object("pre_tokenizer"))),
        added_(read_added_tokens(file, vocabulary_)),
        raw_finder_(make_finder(added_, false, to_nfc_)),
        normal_finder_(make_finder(added_, true, to_nfc_)) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto it = vocabulary_.find(byte_alphabet()[byte]);
      byte_token_[byte] = it == vocabulary_.end() ? -1 : it->second;
      if (byte_token_[byte] < 0 && occurs_in_utf8(byte)) {
        refuse(file.where(), "the vocabulary has no token for byte " + std::to_string(byte) + " ('" +
                                 byte_alphabet()[byte] + "')");
      }
    }
    for (const auto& [entry, id] : vocabulary_) {
      texts_[id] = readable(entry);
      bytes_[id] = bytes_of(entry);
    }
    for (const AddedToken& token : added_) {
      texts_[token.id] = token.content;
      bytes_[token.id] = bytes_of(token.content);  // as the library does
    }
    for (const auto& [id, text] : texts_) size_ = std::max<int64_t>(size_, id + int64_t{1});
  }

  [[nodiscard]] std::vector<int32_t> encode(std::string_view text) const {
    if (const std::size_t at = first_invalid_utf8(text); at != std::string_view::npos) {
      throw Error(Exit::data, "the text is not valid UTF-8 at byte " + std::to_string(at));
    }
    std::vector<int32_t> ids;
    WordMerger merger(merges_);
    for (const Piece& raw : raw_finder_.cut(text)) {
      if (raw.token >= 0) {
        ids.push_back(raw.token);
        continue;
      }
      const std::string normal = to_nfc_ ? nfc(raw.text) : std::string(raw.text);
      for (const Piece& piece : normal_finder_.cut(normal)) {
        if (piece.token >= 0) {
          ids.push_back(piece.token);
        } else {
          encode_piece(piece.text, merger, ids);
        }
      }
    }
    return ids;
  }

  [[nodiscard]] std::string decode(std::span<const int32_t> ids) const {
    std::string bytes;
    for (const int32_t id : ids) {
      const auto it = bytes_.find(id);
      if (it != bytes_.end()) bytes += it->second;
    }
    return repaired_utf8(bytes);
  }

  [[nodiscard]] const std::string* text(int32_t id) const {
    const auto it = texts_.find(id);
    return it == texts_.end() ? nullptr : &it->second;
  }
  [[nodiscard]] int64_t size() const { return size_; }
  [[nodiscard]] const std::vector<AddedToken>& added() const { return added_; }

 private:
  static Vocabulary read_model_vocabulary(const store::JsonObject& file) {
    const store::JsonObject model = file.object("model");
    check_model(model);
    return read_vocabulary(model);
  }

  void encode_piece(std::string_view text, WordMerger& merger, std::vector<int32_t>& ids) const {
    std::string prefixed;
    if (byte_level_.add_prefix_space && !text.starts_with(' ')) {
      prefixed.assign(1, ' ').append(text);
      text = prefixed;
    }
    std::vector<int32_t> bytes;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, byte_level_.use_regex ? first_word(text) : text.size());
      text.remove_prefix(word.size());
      if (ignore_merges_ && append_whole(word, ids)) continue;
      bytes.clear();
      for (const char c : word) bytes.push_back(byte_token_[static_cast<unsigned char>(c)]);
      merger.merge(bytes, ids);
    }
  }

  bool append_whole(std::string_view word, std::vector<int32_t>& ids) const {
    std::string spelling;
    for (const char c : word) spelling += byte_alphabet()[static_cast<unsigned char>(c)];
    const auto it = vocabulary_.find(spelling);
    if (it != vocabulary_.end()) ids.push_back(it->second);
    return it != vocabulary_.end();
  }

  Vocabulary vocabulary_;
  MergeTable merges_;
  bool ignore_merges_;
  bool to_nfc_;
  ByteLevel byte_level_;
  std::vector<AddedToken> added_;
  AddedTokenFinder raw_finder_, normal_finder_;
  std::array<int32_t, 256> byte_token_{};
  std::unordered_map<int32_t, std::string> texts_, bytes_;
  int64_t size_ = 0;
};

Tokenizer::Tokenizer(std::unique_ptr<const Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& file) {
  const nlohmann::json parsed = store::parse_json(store::read_text(file), file.string());
  return Tokenizer(std::make_unique<const Implementation>(store::JsonObject(parsed, file.string())));
}

std::vector<int32_t> Tokenizer::encode(std::string_view utf8) const {
  return implementation_->encode(utf8);
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  return implementation_->decode(ids);
}

std::string Tokenizer::token(int32_t id) const {
  const std::string* const text = implementation_->text(id);
  if (text == nullptr) throw Error(Exit::data, "the tokenizer has no token " + std::to_string(id));
  return *text;
}

int64_t Tokenizer::vocab_size() const {
  return implementation_->size();
}

bool Tokenizer::is_special(int32_t id) const {
  const std::vector<AddedToken>& added = implementation_->added();
  return std::any_of(added.begin(), added.end(),
                     [&](const AddedToken& token) { return token.special && token.id == id; });
}

std::optional<int32_t> Tokenizer::bos() const {
  for (const char* name : {"<|endoftext|>", "<s>", "<bos>"}) {
    for (const AddedToken& token : implementation_->added()) {
      if (token.content == name) return token.id;
    }
  }
  return std::nullopt;
}

}  // namespace incipit::corpus
