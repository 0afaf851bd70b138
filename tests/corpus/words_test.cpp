#include "corpus/words.hpp"

#include <gtest/gtest.h>

namespace incipit::corpus {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreRunsOfLettersMarksAndDigitsInLowerCase) {
  EXPECT_EQ(words("The Cell-Wall, 2nd ed."), (Words{"the", "cell", "wall", "2nd", "ed"}));
  EXPECT_EQ(words(""), Words{});
  EXPECT_EQ(words(" \n\t.,;"), Words{});
  EXPECT_EQ(words("\\frac{dx}{dt}"), (Words{"frac", "dx", "dt"}));
}

TEST(Words, KeepAnApostropheBetweenLettersOnly) {
  EXPECT_EQ(words("Newton's 'law' dogs'"), (Words{"newton's", "law", "dogs"}));
  EXPECT_EQ(words("Newton\u2019s"), Words{"newton's"});
}

TEST(Words, AreComposedAndLowered) {
  // E + combining acute is É.
  EXPECT_EQ(words("E\u0301TUDE \u0416\u0423\u041A"), (Words{"\u00E9tude", "\u0436\u0443\u043A"}));
}

TEST(Words, IdeographsStandAlone) {
  EXPECT_EQ(words("\u7D30\u80DE x"), (Words{"\u7D30", "\u80DE", "x"}));
}

TEST(Words, BrokenBytesPartWords) {
  EXPECT_EQ(words("ab\xFF"
                  "cd"),
            (Words{"ab", "cd"}));
}

TEST(Words, CodePointsAreWhereTheyBegin) {
  EXPECT_EQ(code_points("a\u00E9b"), (std::vector<std::size_t>{0, 1, 3, 4}));
  EXPECT_EQ(code_points(""), (std::vector<std::size_t>{0}));
}

TEST(Words, FunctionWordsAreKnown) {
  EXPECT_TRUE(is_function_word("the"));
  EXPECT_TRUE(is_function_word("which"));
  EXPECT_FALSE(is_function_word("membrane"));
  EXPECT_FALSE(is_function_word(""));
}

}  // namespace
}  // namespace incipit::corpus
