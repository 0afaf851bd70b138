#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// A byte-level BPE as tokenizer.json describes it, giving the ids that the Hugging Face library
/// `tokenizers` gives: normalizer none or NFC, added tokens with their flags, the GPT-2 splitting rule.
class Tokenizer {
 public:
  /// Error io when the file cannot be read; Error data when it is malformed or asks for a model, normalizer,
  /// pre-tokenizer or option this version does not know (by name).
  [[nodiscard]] static Tokenizer load(const std::filesystem::path& file);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Ids of a text, without any token that the text does not hold. May be called from several threads.
  /// Error data with the byte offset when the text is not UTF-8.
  [[nodiscard]] std::vector<int32_t> encode(std::string_view utf8) const;
  /// The text of ids, as the library gives it with special tokens shown: bytes that are no UTF-8 together as
  /// U+FFFD, ids that are not there passed over, as models have more of them than their tokenizers.
  [[nodiscard]] std::string decode(std::span<const int32_t> ids) const;
  /// The text of a token; where its bytes alone are no UTF-8, the file's own spelling of it. Error data for
  /// an id that is not there.
  [[nodiscard]] std::string token(int32_t id) const;
  /// One more than the largest id.
  [[nodiscard]] int64_t vocab_size() const;
  /// Whether the token is no text but an added mark, such as the end of a text.
  [[nodiscard]] bool is_special(int32_t id) const;
  /// The token that begins a text: the added token <|endoftext|>, <s> or <bos>, whichever is there first.
  [[nodiscard]] std::optional<int32_t> bos() const;

 private:
  class Implementation;
  explicit Tokenizer(std::unique_ptr<const Implementation> implementation);
  std::unique_ptr<const Implementation> implementation_;
};

}  // namespace incipit::corpus
