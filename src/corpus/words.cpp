#include "corpus/words.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "error.hpp"

namespace incipit::corpus {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void append(std::string& out, UChar32 c) {
  std::array<uint8_t, U8_MAX_LENGTH> bytes{};
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes.data(), length, c);
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

UChar32 next(std::string_view text, int32_t& at) {
  UChar32 c = 0;
  U8_NEXT(text.data(), at, static_cast<int32_t>(text.size()), c);
  return c;
}

bool in_word(UChar32 c) {
  return c >= 0 && (u_isUAlphabetic(c) || u_isdigit(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0);
}

bool is_apostrophe(UChar32 c) {
  return c == U'\'' || c == U'\u2019';
}

std::string compose(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  std::string composed;
  icu::StringByteSink<std::string> sink(&composed);
  if (U_SUCCESS(status)) {
    nfc->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr,
                       status);
  }
  if (U_FAILURE(status)) {
    throw Error(Exit::defect, std::string("ICU cannot normalise a text: ") + u_errorName(status));
  }
  return composed;
}

}  // namespace

std::string lower_case(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  if (is_ascii(utf8)) {
    for (const char c : utf8) out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    return out;
  }
  const std::string composed = compose(utf8);
  for (int32_t at = 0; at < static_cast<int32_t>(composed.size());) {
    const UChar32 c = next(composed, at);
    append(out, c < 0 ? UChar32{0xFFFD} : u_tolower(c));
  }
  return out;
}

std::vector<std::string> words(std::string_view utf8) {
  const std::string text = lower_case(utf8);
  std::vector<std::string> found;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) found.push_back(std::move(word));
    word.clear();
  };
  const auto end = static_cast<int32_t>(text.size());
  for (int32_t at = 0; at < end;) {
    const UChar32 c = next(text, at);
    if (in_word(c)) {
      const bool alone = u_hasBinaryProperty(c, UCHAR_IDEOGRAPHIC) != 0;
      if (alone) finish();
      append(word, c);
      if (alone) finish();
      continue;
    }
    int32_t ahead = at;
    const bool inside = is_apostrophe(c) && !word.empty() && ahead < end && in_word(next(text, ahead));
    if (inside) {
      word.push_back('\'');
    } else {
      finish();
    }
  }
  finish();
  return found;
}

std::vector<std::size_t> code_points(std::string_view utf8) {
  std::vector<std::size_t> starts;
  starts.reserve(utf8.size() + 1);
  for (int32_t at = 0; at < static_cast<int32_t>(utf8.size());) {
    starts.push_back(static_cast<std::size_t>(at));
    next(utf8, at);
  }
  starts.push_back(utf8.size());
  return starts;
}

bool is_function_word(std::string_view word) {
  static constexpr std::array<std::string_view, 116> list = {
      "a",       "about", "above", "after",  "all",   "also",  "am",    "an",     "and",   "any",   "are",
      "as",      "at",    "be",    "been",   "being", "below", "but",   "by",     "can",   "could", "did",
      "do",      "does",  "each",  "either", "else",  "every", "few",   "for",    "from",  "had",   "has",
      "have",    "he",    "her",   "here",   "his",   "how",   "i",     "if",     "in",    "into",  "is",
      "it",      "its",   "just",  "let",    "many",  "may",   "me",    "might",  "more",  "most",  "much",
      "must",    "my",    "no",    "nor",    "not",   "of",    "on",    "one",    "only",  "or",    "other",
      "our",     "out",   "over",  "own",    "same",  "shall", "she",   "should", "so",    "some",  "such",
      "than",    "that",  "the",   "their",  "them",  "then",  "there", "these",  "they",  "this",  "those",
      "through", "to",    "too",   "under",  "until", "up",    "upon",  "us",     "very",  "was",   "we",
      "were",    "what",  "when",  "where",  "which", "while", "who",   "whom",   "whose", "why",   "will",
      "with",    "would", "you",   "your",   "yours", "yes"};
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace incipit::corpus
