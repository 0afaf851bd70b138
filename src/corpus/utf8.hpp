#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace incipit::corpus {

/// Whether a byte of UTF-8 is not the first of its character.
[[nodiscard]] constexpr bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Where the first byte sequence begins that is no UTF-8 (RFC 3629); npos when all is well.
[[nodiscard]] std::size_t first_invalid_utf8(std::string_view text);

/// The text with U+FFFD for what is no UTF-8 in it, one for each longest beginning of a character or byte
/// that begins none (Unicode 15, section 3.9).
[[nodiscard]] std::string repaired_utf8(std::string_view text);

/// The first `count` code points of a UTF-8 text, or all of it.
[[nodiscard]] std::string_view first_characters(std::string_view text, std::size_t count);

}  // namespace incipit::corpus
