#pragma once

#include <unicode/utf8.h>

#include <array>
#include <string>
#include <string_view>

#include "random.hpp"

namespace incipit::corpus {

inline void append(std::string& text, char32_t code_point) {
  std::array<uint8_t, 4> bytes{};
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes.data(), size, static_cast<UChar32>(code_point));
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

/// A code point of any plane, small ones much more often; no surrogate.
inline char32_t random_code_point(Random& random) {
  constexpr std::array<uint32_t, 5> limits{0x80, 0x80, 0x3000, 0x10000, 0x110000};
  const auto code_point = static_cast<char32_t>(random.below(limits[random.below(limits.size())]));
  return code_point >= 0xd800 && code_point < 0xe000 ? U'\ufffd' : code_point;
}

/// Words, apostrophes, runs of white space, and anything else.
inline std::string random_text(Random& random) {
  constexpr std::array<std::string_view, 12> pieces{"don't", "'s",   "we've",  "'ll",    " ",      "\n",
                                                    "\t",    "\r\n", "\u00a0", "\u2003", "\u0085", "naïve"};
  std::string text;
  for (uint64_t n = 1 + random.below(12); n > 0; --n) {
    switch (random.below(3)) {
      case 0:
        text += pieces[random.below(pieces.size())];
        break;
      case 1:
        text.append(random.below(8), ' ');
        break;
      default:
        for (uint64_t k = random.below(6); k > 0; --k) append(text, random_code_point(random));
    }
  }
  return text;
}

}  // namespace incipit::corpus
