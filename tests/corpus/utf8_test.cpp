#include "corpus/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

#include "random_text.hpp"

namespace incipit::corpus {
namespace {

TEST(FirstInvalidUtf8, AcceptsEveryCodePoint) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";
    append(text, c);
    ASSERT_EQ(first_invalid_utf8(text), std::string::npos) << static_cast<uint32_t>(c);
  }
}

TEST(FirstInvalidUtf8, NamesTheByte) {
  using namespace std::string_literals;
  EXPECT_EQ(first_invalid_utf8("\x80"), 0u);
  EXPECT_EQ(first_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(first_invalid_utf8("é\xc3"), 2u);             // cut off
  EXPECT_EQ(first_invalid_utf8("x\xe6\x97"), 1u);         // cut off
  EXPECT_EQ(first_invalid_utf8("x\xc3y"), 1u);            // no continuation
  EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("\xe0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(first_invalid_utf8("\xed\xa0\x80"), 0u);      // a surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // beyond Unicode
  EXPECT_EQ(first_invalid_utf8("a\0b\x80"s), 3u);
  EXPECT_EQ(first_invalid_utf8(""), std::string::npos);
}

TEST(FirstCharacters, CountsCodePoints) {
  EXPECT_EQ(first_characters("aé日😀z", 4), "aé日😀");
  EXPECT_EQ(first_characters("aé", 80), "aé");
  EXPECT_EQ(first_characters("aé", 0), "");
  EXPECT_EQ(first_characters("", 3), "");
}

}  // namespace
}  // namespace incipit::corpus
