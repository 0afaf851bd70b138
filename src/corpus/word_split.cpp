#include "corpus/word_split.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>

namespace incipit::corpus {
namespace {

struct Range {
  char32_t first, last;
  CharacterClass kind;
};

// Letters and numbers that Unicode 15.1 and 16.0 added.
constexpr auto letter = CharacterClass::letter;
constexpr auto number = CharacterClass::number;
constexpr std::array late_characters{
    Range{0x1c89, 0x1c8a, letter},   Range{0xa7cb, 0xa7cd, letter},   Range{0xa7da, 0xa7dc, letter},
    Range{0x105c0, 0x105f3, letter}, Range{0x10d40, 0x10d49, number}, Range{0x10d4a, 0x10d65, letter},
    Range{0x10d6f, 0x10d85, letter}, Range{0x10ec2, 0x10ec4, letter}, Range{0x11380, 0x11389, letter},
    Range{0x1138b, 0x1138b, letter}, Range{0x1138e, 0x1138e, letter}, Range{0x11390, 0x113b5, letter},
    Range{0x113b7, 0x113b7, letter}, Range{0x113d1, 0x113d1, letter}, Range{0x113d3, 0x113d3, letter},
    Range{0x116d0, 0x116e3, number}, Range{0x11bc0, 0x11be0, letter}, Range{0x11bf0, 0x11bf9, number},
    Range{0x13460, 0x143fa, letter}, Range{0x16100, 0x1611d, letter}, Range{0x16130, 0x16139, number},
    Range{0x16d40, 0x16d6c, letter}, Range{0x16d70, 0x16d79, number}, Range{0x18cff, 0x18cff, letter},
    Range{0x1ccf0, 0x1ccf9, number}, Range{0x1e5d0, 0x1e5ed, letter}, Range{0x1e5f0, 0x1e5f0, letter},
    Range{0x1e5f1, 0x1e5fa, number}, Range{0x2ebf0, 0x2ee5d, letter},
};

CharacterClass late_class(char32_t code_point) {
  const auto* const range =
      std::partition_point(late_characters.begin(), late_characters.end(),
                           [&](const Range& candidate) { return candidate.last < code_point; });
  const bool inside = range != late_characters.end() && range->first <= code_point;
  return inside ? range->kind : CharacterClass::other;
}

CharacterClass look_up(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & U_GC_L_MASK) != 0) return CharacterClass::letter;
  if ((category & U_GC_N_MASK) != 0) return CharacterClass::number;
  if ((category & U_GC_CN_MASK) != 0) return late_class(code_point);
  return u_isUWhiteSpace(c) != 0 ? CharacterClass::space : CharacterClass::other;
}

/// Nearly all text is ASCII, where a table spares the decoding and the search in ICU's tables.
const std::array<CharacterClass, 128>& ascii_classes() {
  static const auto table = [] {
    std::array<CharacterClass, 128> classes{};
    for (std::size_t c = 0; c < classes.size(); ++c) classes[c] = look_up(static_cast<char32_t>(c));
    return classes;
  }();
  return table;
}

/// Walks over the characters of a valid UTF-8 text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), ascii_(ascii_classes()) {}

  /// Class of the character at a byte, and the byte after it.
  [[nodiscard]] CharacterClass at(std::size_t position, std::size_t& next) const {
    const auto byte = static_cast<uint8_t>(text_[position]);
    if (byte < 0x80) {
      next = position + 1;
      return ascii_[byte];
    }
    const auto* const bytes = reinterpret_cast<const uint8_t*>(text_.data());
    auto index = static_cast<int64_t>(position);
    UChar32 code_point = 0;
    U8_NEXT_UNSAFE(bytes, index, code_point);
    next = static_cast<std::size_t>(index);
    return look_up(static_cast<char32_t>(code_point));
  }

  /// End of the run of one class from `position` on; `last` is where its last character begins.
  std::size_t run(CharacterClass kind, std::size_t position, std::size_t& last) const {
    last = position;
    while (position < text_.size()) {
      std::size_t next = 0;
      if (at(position, next) != kind) break;
      last = position;
      position = next;
    }
    return position;
  }

 private:
  std::string_view text_;
  const std::array<CharacterClass, 128>& ascii_;
};

std::size_t contraction(std::string_view text) {
  constexpr std::array<std::string_view, 7> endings{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (const std::string_view ending : endings) {
    if (text.starts_with(ending)) return ending.size();
  }
  return 0;
}

}  // namespace

CharacterClass character_class(char32_t code_point) {
  return look_up(code_point);
}

bool is_word_character(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0) return true;
  if ((category & U_GC_CN_MASK) != 0) return late_class(code_point) != CharacterClass::other;
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) != 0 || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) != 0;
}

std::size_t first_word(std::string_view text) {
  if (text.front() == '\'') {
    if (const std::size_t size = contraction(text); size > 0) return size;
  }
  const Scanner scanner(text);
  const std::size_t begin = text.front() == ' ' && text.size() > 1 ? 1 : 0;
  std::size_t next = 0, last = 0;
  const CharacterClass kind = scanner.at(begin, next);
  if (kind != CharacterClass::space) return scanner.run(kind, begin, last);
  // White space leaves its last character to the word that follows, unless it is alone.
  const std::size_t end = scanner.run(CharacterClass::space, 0, last);
  return end == text.size() || last == 0 ? end : last;
}

}  // namespace incipit::corpus
