#include "corpus/utf8.hpp"

#include <unicode/utf8.h>

#include <cstdint>

namespace incipit::corpus {

std::size_t first_invalid_utf8(std::string_view text) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t i = 0; i < size;) {
    const int64_t start = i;
    UChar32 code_point = 0;
    U8_NEXT(bytes, i, size, code_point);
    if (code_point < 0) return static_cast<std::size_t>(start);
  }
  return std::string_view::npos;
}

std::string repaired_utf8(std::string_view text) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  std::string repaired;
  for (int64_t i = 0; i < size;) {
    const int64_t start = i;
    UChar32 code_point = 0;
    U8_NEXT(bytes, i, size, code_point);
    const auto length = static_cast<std::size_t>(i - start);
    repaired += code_point < 0 ? "\uFFFD" : text.substr(static_cast<std::size_t>(start), length);
  }
  return repaired;
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size() && count > 0; --count) {
    ++end;
    while (end < text.size() && U8_IS_TRAIL(static_cast<uint8_t>(text[end]))) ++end;
  }
  return text.substr(0, end);
}

}  // namespace incipit::corpus
