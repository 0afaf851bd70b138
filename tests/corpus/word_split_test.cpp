#include "corpus/word_split.hpp"

#include <gtest/gtest.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>

#include <vector>

#include "random_text.hpp"

namespace incipit::corpus {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t size = first_word(text);
    words.emplace_back(text.substr(0, size));
    if (size == 0) return words;
    text.remove_prefix(size);
  }
  return words;
}

/// The rule as GPT-2 wrote it, run by ICU; its own \s is not White_Space.
class Expression {
 public:
  Expression()
      : matcher_(icu::UnicodeString::fromUTF8(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|)"
                                              R"( ?[^\p{White_Space}\p{L}\p{N}]+|)"
                                              R"(\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+)"),
                 0, status_) {}

  std::vector<std::string> words_of(const std::string& text) {
    const icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
    matcher_.reset(unicode);
    std::vector<std::string> words;
    while (matcher_.find()) matcher_.group(status_).toUTF8String(words.emplace_back());
    EXPECT_TRUE(U_SUCCESS(status_)) << u_errorName(status_);
    return words;
  }

 private:
  UErrorCode status_ = U_ZERO_ERROR;
  icu::RegexMatcher matcher_;
};

TEST(FirstWord, FollowsTheRule) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of("don't I'll"), (Words{"don", "'t", " I", "'ll"}));
  EXPECT_EQ(words_of("  a   b "), (Words{" ", " a", "  ", " b", " "}));
  EXPECT_EQ(words_of("x\n\n y\t z"), (Words{"x", "\n\n", " y", "\t", " z"}));
  EXPECT_EQ(words_of("a\tb"), (Words{"a", "\t", "b"}));
  EXPECT_EQ(words_of("3.14 x²!?"), (Words{"3", ".", "14", " x", "²", "!?"}));
  EXPECT_EQ(words_of("'sx 'S"), (Words{"'s", "x", " '", "S"}));
  EXPECT_EQ(words_of("''s"), (Words{"''", "s"}));
  EXPECT_EQ(words_of("   "), (Words{"   "}));
  EXPECT_EQ(words_of(" "), (Words{" "}));
  EXPECT_EQ(words_of("\u00a0é\u3000\u3000é"), (Words{"\u00a0", "é", "\u3000", "\u3000", "é"}));
}

TEST(FirstWord, EqualsTheRegularExpression) {
  Expression expression;
  int checked = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    Random random(1, Purpose::test, i);
    std::string text;
    const std::string drawn = random_text(random);
    // ICU's own tables decide in the expression, so only characters it knows.
    for (int32_t at = 0; at < static_cast<int32_t>(drawn.size());) {
      UChar32 code_point = 0;
      U8_NEXT_UNSAFE(drawn.data(), at, code_point);
      if (u_charType(code_point) != U_UNASSIGNED) append(text, static_cast<char32_t>(code_point));
    }
    ASSERT_EQ(words_of(text), expression.words_of(text)) << i << ": " << text;
    checked += text.empty() ? 0 : 1;
  }
  EXPECT_GT(checked, 3500);
}

TEST(CharacterClass, KnowsLaterCharacters) {
  EXPECT_EQ(character_class(0x1c8a), CharacterClass::letter);
  EXPECT_EQ(character_class(0x2ebf0), CharacterClass::letter);
  EXPECT_EQ(character_class(0x2ee5d), CharacterClass::letter);
  EXPECT_EQ(character_class(0x1e5f1), CharacterClass::number);
  EXPECT_EQ(character_class(0x2ee5e), CharacterClass::other);  // no character to this day
}

TEST(CharacterClass, WhiteSpaceIsUnicodes) {
  for (const char32_t c :
       {U'\t', U'\v', U'\f', U' ', U'\u0085', U'\u00a0', U'\u1680', U'\u2028', U'\u3000'}) {
    EXPECT_EQ(character_class(c), CharacterClass::space) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'\u001c', U'\u180e', U'\u200b', U'\ufeff'}) {
    EXPECT_EQ(character_class(c), CharacterClass::other) << static_cast<uint32_t>(c);
  }
}

TEST(IsWordCharacter, IsTheExpressionsOne) {
  for (const char32_t c : {U'a', U'9', U'_', U'é', U'\u0301', U'\u200d', U'日', U'Ⅷ'}) {
    EXPECT_TRUE(is_word_character(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U' ', U'-', U'½', U'\u200b', U'€'}) {
    EXPECT_FALSE(is_word_character(c)) << static_cast<uint32_t>(c);
  }
}

}  // namespace
}  // namespace incipit::corpus
