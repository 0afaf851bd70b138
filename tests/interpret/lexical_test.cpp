#include "interpret/lexical.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "error.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/terms.hpp"
#include "scene.hpp"

namespace incipit::interpret {
namespace {

using testing::make_scene;
using testing::Scene;

TEST(Lexical, ALatentOfOneWordIsNamedAndVerified) {
  const Scene scene = make_scene();
  LexicalTeacher teacher(scene.probes, 1, 2);
  const auto labels = interpret(teacher, scene.probes, scene.codes, scene.sae, {}, 1, {0, 8});
  EXPECT_EQ(labels[0].f1, 1) << labels[0].label;
  EXPECT_EQ(labels[1].f1, 1) << labels[1].label;
  EXPECT_NE(labels[0].label.find("membrane"), std::string::npos) << labels[0].label;
  EXPECT_NE(labels[1].label.find("equation"), std::string::npos) << labels[1].label;
  EXPECT_EQ(labels[0].status, Status::interpretable);
  EXPECT_EQ(labels[0].unparsed, 0);
}

TEST(Lexical, ARandomLatentScoresNoBetterThanChance) {
  // Twenty latents that fire at random on the probes without a telling word.
  const Scene scene = make_scene(23);
  LexicalTeacher teacher(scene.probes, 1, 2);
  InterpretOptions options;
  options.min_support = 3;
  const auto labels = interpret(teacher, scene.probes, scene.codes, scene.sae, options, 1, {3, 23});
  double sum = 0, chance = 0;
  for (const LatentLabel& label : labels) {
    ASSERT_NE(label.status, Status::dead);
    if (label.status == Status::unsupported) continue;
    sum += label.balanced_accuracy;
    ++chance;
  }
  ASSERT_GE(chance, 15);
  EXPECT_NEAR(sum / chance, 0.5, 0.12);
}

TEST(Lexical, SubwordsCarryOverToWordsNeverSeen) {
  // Latent 0 fires on words ending in -ology; each such word belongs to one group.
  corpus::Probes probes = testing::make_probes(200, 3, 4, 3);
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    const std::string stem = testing::made_up_words()[static_cast<std::size_t>(probes.group[i])];
    probes.all[i].text =
        "the word is " + stem.substr(0, 6) + (probes.group[i] % 5 == 0 ? "ology" : "erdon") + " again";
  }
  const sae::Codes codes = testing::make_codes(
      probes, [&](std::size_t i) { return probes.group[i] % 5 == 0 ? 0 : 1 + static_cast<int>(i % 3); });
  LexicalTeacher teacher(probes, 1, 1);
  const auto labels = interpret(teacher, probes, codes, testing::make_sae(4, 8, 2), {}, 1, {0, 1});
  EXPECT_GE(labels[0].f1, 0.95);
}

TEST(Lexical, TheConstantEndOfATemplateTellsNothingAndIsNoLabel) {
  Scene scene = make_scene();
  for (corpus::Probe& probe : scene.probes.all) probe.text += "\nSubject:";
  LexicalTeacher teacher(scene.probes, 1, 1);
  const auto labels = interpret(teacher, scene.probes, scene.codes, scene.sae, {}, 1, {0, 8});
  EXPECT_EQ(labels[0].f1, 1);
  for (const LatentLabel& label : labels)
    EXPECT_EQ(label.label.find("subject"), std::string::npos) << label.label;
}

TEST(Lexical, KnowsNoOtherTeacher) {
  const Scene scene = make_scene();
  InterpretOptions options;
  options.teacher = "lexicon";
  try {
    make_teacher({.options = options, .probes = scene.probes});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_NE(std::string(error.what()).find("lexical"), std::string::npos);
  }
}

TEST(Terms, PairsGoBeforeTheirWordsAndFunctionWordsStayOut) {
  corpus::Probes probes;
  const char* texts[] = {
      "the cell wall of a plant", "a cell wall",      "what is a cell wall", "the price of bread",
      "the wall of a house",      "bread and butter", "the plant is green",  "14 of 15"};
  for (const char* text : texts) probes.all.push_back({"x", "x", "x", text, "x"});
  std::vector<int64_t> all(8);
  std::iota(all.begin(), all.end(), 0);
  const TermTable terms(probes, all);
  const std::vector<int64_t> walls = {0, 1, 2}, numbers = {7}, none = {};
  EXPECT_EQ(terms.name(walls, 5), "cell wall");
  EXPECT_EQ(terms.name(numbers, 2), "14, 15");
  EXPECT_FALSE(terms.name(none, 5).empty());
  const std::vector<int64_t> bread = {3, 5};
  EXPECT_EQ(terms.name(bread, 1), "bread");
}

}  // namespace
}  // namespace incipit::interpret
