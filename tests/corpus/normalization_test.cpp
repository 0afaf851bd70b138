#include "corpus/normalization.hpp"

#include <gtest/gtest.h>

namespace incipit::corpus {
namespace {

TEST(Nfc, ComposesAndReorders) {
  EXPECT_EQ(nfc("plain text"), "plain text");
  EXPECT_EQ(nfc("e\u0301"), "é");
  EXPECT_EQ(nfc("a\u0307\u0323"), "ạ\u0307");
  EXPECT_EQ(nfc("\u212b"), "Å");
  EXPECT_EQ(nfc("\u1100\u1161\u11a8"), "각");
  EXPECT_EQ(nfc("ﬁ"), "ﬁ");  // compatibility forms stay
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");
  EXPECT_EQ(nfc(""), "");
}

TEST(Nfd, TakesApartAndReorders) {
  EXPECT_EQ(nfd("plain text"), "plain text");
  EXPECT_EQ(nfd("é"), "e\u0301");
  EXPECT_EQ(nfd("ạ\u0307"), "a\u0323\u0307");
  EXPECT_EQ(nfd("\u212b각"), "A\u030a\u1100\u1161\u11a8");
  EXPECT_EQ(nfd("\u0301\u07fd\u0323"), "\u0301\u07fd\u0323");
}

/// U+07FD has a combining class since Unicode 11: a newer table would move it behind the mark.
TEST(Nfc, LeavesLaterCharactersAlone) {
  EXPECT_EQ(nfc("\u0301\u07fd\u0323"), "\u0301\u07fd\u0323");
}

}  // namespace
}  // namespace incipit::corpus
