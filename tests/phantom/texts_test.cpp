#include "phantom/texts.hpp"

#include <gtest/gtest.h>

#include <set>

#include "../support.hpp"
#include "corpus/tokenizer.hpp"
#include "corpus/words.hpp"
#include "index.hpp"
#include "small.hpp"

namespace incipit::phantom {
namespace {

using TextsTest = test::FolderTest;

TEST_F(TextsTest, LastTokenIsTheTermAndNothingElseSharesIt) {
  const Texts texts = write_texts(small(3));
  const auto tokenizer = corpus::Tokenizer::load(write("tokenizer.json", tokenizer_json(texts)));
  ASSERT_EQ(texts.probe.size(), 6 * 8);
  std::set<std::string> terms;
  for (const Texts::Probe& probe : texts.probe) {
    const auto tokens = tokenizer.encode(probe.text);
    EXPECT_EQ(tokens.back(), texts.term_token[at(probe.subject)][at(probe.term)]) << probe.text;
    // The first word has no space before it and is two syllables.
    EXPECT_EQ(tokens.size(), 7) << probe.text;
    terms.insert(corpus::words(probe.text).back());
  }
  EXPECT_EQ(terms.size(), texts.probe.size());
}

TEST_F(TextsTest, ContextIsOfTheSubjectAlone) {
  const Texts texts = write_texts(small(4));
  for (const Texts::Probe& probe : texts.probe) {
    const auto words = corpus::words(probe.text);
    for (std::size_t c = 0; c < texts.context.size(); ++c) {
      const auto said = std::ranges::count_if(words, [&](const std::string& word) {
        return std::ranges::find(texts.context[c], word) != texts.context[c].end();
      });
      EXPECT_EQ(said, static_cast<int64_t>(c) == probe.subject ? 3 : 0) << probe.text;
    }
  }
}

}  // namespace
}  // namespace incipit::phantom
