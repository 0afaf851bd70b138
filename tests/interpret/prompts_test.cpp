#include "interpret/prompts.hpp"

#include "../support.hpp"

namespace incipit::interpret {
namespace {

class PromptFiles : public test::FolderTest {
 protected:
  Prompts load(const std::string& label, const std::string& judge = "s\n---\n{label} {text}") const {
    write("label.txt", label);
    write("judge.txt", judge);
    return Prompts(folder_);
  }
};

TEST_F(PromptFiles, FillInWhatIsAsked) {
  const Prompts prompts = load("Told.\n---\n+\n{positives}\n-\n{negatives}\n{not one} {}\n");
  const Brief brief{0, {{1, "one\n two", 2.0}, {2, "{text}", 1.0}}, {{3, "three", 0.0}}, {}, {}};
  EXPECT_EQ(prompts.label(brief).system, "Told.");
  EXPECT_EQ(prompts.label(brief).user, "+\n- one two\n- {text}\n-\n- three\n{not one} {}");
  EXPECT_EQ(prompts.judge("cells", "a cell").user, "cells a cell");
}

TEST_F(PromptFiles, NameTheFileAndWhatWasExpected) {
  using test::expect_error;
  expect_error(Exit::data, {"label.txt", "no line ---"}, [&] { load("{positives} {negatives}"); });
  expect_error(Exit::data, {"label.txt", "no {negatives}"}, [&] { load("s\n---\n{positives}"); });
  expect_error(Exit::data, {"judge.txt", "found {texts}", "{label} and {text}"},
               [&] { load("s\n---\n{positives}{negatives}", "s\n---\n{label} {texts}"); });
  expect_error(Exit::io, {"label.txt"}, [&] { Prompts(folder_ / "nowhere"); });
}

TEST(BundledPrompts, AreThoseOfTheInputs) {
  const Prompts prompts(bundled);
  EXPECT_NE(prompts.judge("cells", "a text").user.find("a text"), std::string::npos);
  const auto own = prompt_files(bundled);
  const auto shown = prompt_files(std::filesystem::path(INCIPIT_SOURCE_DIR) / "inputs" / "prompts");
  for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i].text, shown[i].text) << own[i].where;
}

TEST(ShownText, KeepsTheEndInWholeCharacters) {
  EXPECT_EQ(shown_text("  a \n\t b ", 10), "a b");
  EXPECT_EQ(shown_text("abcdef", 6), "abcdef");
  EXPECT_EQ(shown_text("abcdef", 2), "…ef");
  EXPECT_EQ(shown_text("äöü€", 2), "…ü€");
  EXPECT_EQ(shown_text("", 2), "");
}

}  // namespace
}  // namespace incipit::interpret
