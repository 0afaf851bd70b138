#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// The words of a text, in order: NFC, lower case, maximal runs of letters, marks and digits by their Unicode
/// properties (an apostrophe between letters stays inside its word); an ideograph is a word of its own.
/// Bytes that are not UTF-8 part words.
[[nodiscard]] std::vector<std::string> words(std::string_view utf8);

/// The text as `words` sees it, everything else left where it is: NFC and lower case.
[[nodiscard]] std::string lower_case(std::string_view utf8);

/// The code points of a UTF-8 string as the byte offsets where they begin, and its end.
[[nodiscard]] std::vector<std::size_t> code_points(std::string_view utf8);

/// Whether a word of `words` carries no topic: a short list of our own of English articles, pronouns,
/// auxiliary verbs, prepositions and conjunctions. Words of other languages are left to document frequency.
[[nodiscard]] bool is_function_word(std::string_view word);

}  // namespace incipit::corpus
