#include "match/embedded.hpp"

#include <gtest/gtest.h>

#include "../support.hpp"
#include "corpus.hpp"

namespace incipit::match {
namespace {

TEST(EmbeddedTexts, GivesBackWhatWasSaid) {
  EmbeddedTexts said;
  said.set_encoder("someone", 2);
  const std::vector<std::string> first{"a", "b"}, more{"b", "c", "a"};
  EXPECT_EQ(said.unknown(more), more);
  said.add(first, std::vector<float>{1, 2, 3, 4});
  EXPECT_EQ(said.unknown(more), std::vector<std::string>{"c"});
  said.add(std::vector<std::string>{"c"}, std::vector<float>{5, 6});
  EXPECT_EQ(said.embed(more), (std::vector<float>{3, 4, 5, 6, 1, 2}));
  EXPECT_EQ(said.name(), "someone");
  EXPECT_EQ(said.dimensions(), 2);
  test::expect_error(Exit::defect, {"'d'"}, [&] { (void)said.embed(std::vector<std::string>{"d"}); });
  test::expect_error(Exit::defect, {"someone", "3 numbers"}, [&] {
    said.add(std::vector<std::string>{"d"}, std::vector<float>{1, 2, 3});
  });
}

TEST(TextsToEmbed, AreAllOfThemOnce) {
  const Subjects subjects{{{"a", {"x", "y"}, true}, {"b", {"y"}, true}}, {"z", "x"}};
  const std::vector<std::string> labels{"z", "", "l"};
  EXPECT_EQ(texts_to_embed(labels, subjects), (std::vector<std::string>{"", "l", "x", "y", "z"}));
}

}  // namespace
}  // namespace incipit::match
