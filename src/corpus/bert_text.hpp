#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// What BERT makes of a text before it looks for tokens, character for character as the Hugging Face library
/// `tokenizers` does (BertNormalizer). That library knows the general categories of Unicode 8 and the
/// decompositions of Unicode 9; so does this, whatever ICU knows, so that a text has the same tokens
/// everywhere.
struct BertNormalizer {
  bool clean_text = true;            ///< control and format characters go, white space becomes a space
  bool handle_chinese_chars = true;  ///< a space on both sides of each CJK ideograph
  bool strip_accents = true;         ///< normal form D without its nonspacing marks
  bool lowercase = true;             ///< each character by itself

  /// Of a valid UTF-8 text.
  [[nodiscard]] std::string apply(std::string_view text) const;
};

/// The pieces of a valid UTF-8 text that are looked up one by one (BertPreTokenizer): what white space parts,
/// and each punctuation mark alone. None is empty.
[[nodiscard]] std::vector<std::string_view> bert_words(std::string_view text);

}  // namespace incipit::corpus
