#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// The tokenizer of BERT and MPNet encoders, giving the ids that the Hugging Face library `tokenizers` gives:
/// special tokens cut out of the text, BERT's normalization and splitting (corpus/bert_text.hpp), and of each
/// word the longest pieces of the vocabulary from left to right, between the tokens that begin and end a
/// text.
class WordPiece {
 public:
  /// What `load` reads: FOLDER/tokenizer.json, or where there is none
  /// FOLDER/vocab.txt with tokenizer_config.json beside it. Error data when neither is there.
  [[nodiscard]] static std::vector<std::filesystem::path> files(const std::filesystem::path& folder);

  /// Error io when a file cannot be read; Error data, naming file and place, when it is malformed, asks for
  /// something this version does not know, or is a tokenizer of another kind (BPE, Unigram).
  /// `lower_case`: letters lose their case whatever the normalizer says.
  [[nodiscard]] static WordPiece load(const std::filesystem::path& folder, bool lower_case = false);

  WordPiece(WordPiece&&) noexcept;
  WordPiece& operator=(WordPiece&&) noexcept;
  ~WordPiece();

  /// At most `max_length` ids: the template's, and as many of the text's as fit between. May be called from
  /// several threads. Error data with the byte offset when the text is not UTF-8, or when `max_length` has
  /// no place for the template.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view utf8, std::int64_t max_length) const;

  /// One more than the largest id.
  [[nodiscard]] std::int64_t vocab_size() const;

 private:
  class Implementation;
  explicit WordPiece(std::unique_ptr<const Implementation> implementation);
  std::unique_ptr<const Implementation> implementation_;
};

}  // namespace incipit::corpus
