#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace incipit::corpus {

/// What the splitting rule tells apart: general categories L* and N*, Unicode's White_Space, and the rest.
enum class CharacterClass : uint8_t { letter, number, space, other };

/// By ICU's tables; letters and numbers of Unicode 15.1 and 16 are known even to an older ICU, so that a
/// text has the same tokens everywhere.
[[nodiscard]] CharacterClass character_class(char32_t code_point);

/// What a regular expression's \w takes: Alphabetic, marks, decimal digits, connectors, joiners.
[[nodiscard]] bool is_word_character(char32_t code_point);

/// Bytes of the first piece that GPT-2's splitting rule cuts off a UTF-8 text, which is not empty:
/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
[[nodiscard]] std::size_t first_word(std::string_view text);

}  // namespace incipit::corpus
