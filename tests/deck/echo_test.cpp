#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "deck/registry.hpp"
#include "deck_files.hpp"

namespace incipit::deck {
namespace {

using Echo = DeckFiles;
using Names = std::vector<std::string>;

constexpr Stage every_stage[] = {Stage::extract, Stage::train,     Stage::interpret, Stage::match,
                                 Stage::align,   Stage::attribute, Stage::track,     Stage::loss};

TEST(Help, HasEveryKeyWithinAHundredColumns) {
  const std::string text = help();
  for (const auto& section : sections()) expect_holds(text, "[" + section.name + "]");
  for (const auto& key : deck_keys()) expect_holds(text, "  " + key.name + (key.required ? " (" : " = "));
  for (const auto& key : anchor_keys()) expect_holds(text, "  " + key.name + " = ");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  expect_holds(text, "latents = 512  [latents]");
  expect_holds(text, "max_time = 0  [time]");
}

TEST_F(Echo, ReadsBackAsTheSameDeck) {
  const Deck deck =
      load_lines("[anchor.b]\nlayer = 0.25\n[anchor.a]\nmodel = m\ncurves = grid, space\n",
                 {"--run.memory=1500MB", "--run.max_time=0.1h", "--run.threads=2",
                  "--probes.template={question} \\n= {answer}", "--probes.subjects=law, computer science",
                  "--family.path=rel/fam", "--interpret.f1=0.1", "--match.tau=1e-3"});
  const std::string text = resolved(deck);
  const Deck again = load(write(text, "again.ini"), {});
  EXPECT_EQ(resolved(again), text);
  EXPECT_EQ(again.run.memory, deck.run.memory);
  EXPECT_EQ(again.run.max_time, deck.run.max_time);
  EXPECT_EQ(again.interpret.f1, deck.interpret.f1);
  EXPECT_EQ(again.probes.subjects, deck.probes.subjects);
  EXPECT_EQ(again.probes.template_, deck.probes.template_);
  EXPECT_EQ(again.family.path, std::filesystem::absolute("rel/fam").string());
  ASSERT_EQ(again.anchors.size(), 2U);
  EXPECT_EQ(again.anchors[0].name, "b");
  EXPECT_EQ(again.anchors[1].curves, (Names{"space", "grid"}));
}

TEST_F(Echo, ReadsBackForRandomDecks) {
  const std::vector<Names> values = {{"family.steps", "all", "log:7", "5,1,3"},
                                     {"family.models", "", "a,b", "a"},
                                     {"family.path", "hf:Org", "x/../y", "/abs/z/"},
                                     {"probes.split", "none", "3:1:2"},
                                     {"probes.limit", "0", "12"},
                                     {"probes.bos", "on", "0"},
                                     {"anchor.q.layer", "last", "3", "0.125"},
                                     {"anchor.q.step", "last", "77"},
                                     {"anchor.time.curves", "grid", "scale,time"},
                                     {"sae.latents", "300", "7"},
                                     {"sae.k", "1", "7"},
                                     {"match.tau", "auto", "0.30000000000000004", "-0.5"},
                                     {"run.memory", "auto", "7.7G", "12345B"},
                                     {"run.threads", "auto", "16"},
                                     {"run.max_time", "0", "01:02:03", "0.3m"},
                                     {"run.seed", "0", "18446744073709551615"},
                                     {"run.redo", "yes", "off"},
                                     {"run.output", "o", "../o/", "/tmp/o"},
                                     {"run.mpi_hints", "", "a=b,c=d"},
                                     {"interpret.teacher", "neox", "cache"},
                                     {"interpret.model", "", "m", "x/../y/"},
                                     {"interpret.prompts", "bundled", "asked/"},
                                     {"interpret.server", "http://h:1", "https://h.org/v1/"},
                                     {"interpret.key_env", "", "KEY"},
                                     {"interpret.timeout", "0", "90s"},
                                     {"interpret.f1", "0", "1", "0.123456789012345678"}};
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> overrides;
    for (const Names& row : values) {
      if (random() % 2 == 0) overrides.push_back("--" + row[0] + "=" + row[1 + random() % (row.size() - 1)]);
    }
    SCOPED_TRACE(fmt::format("round {}", round));
    const Deck deck = load_lines("", overrides);
    const std::string text = resolved(deck);
    const Deck again = load(write(text, "again.ini"), {});
    ASSERT_EQ(resolved(again), text);
    for (const Stage stage : every_stage) {
      ASSERT_EQ(keys_of(again, stage), keys_of(deck, stage));
    }
  }
}

TEST_F(Echo, ScienceHoldsNothingOperational) {
  const Deck a = load_lines("");
  const Deck b =
      load_lines("", {"--interpret.server=https://h.org", "--interpret.key_env=K", "--interpret.rate=5",
                      "--run.output=elsewhere", "--run.memory=3G", "--run.threads=5", "--run.max_time=8h",
                      "--run.patience=0", "--run.queue=yes", "--run.redo=yes", "--run.keep_activations=no",
                      "--run.mpi_hints=x=y"});
  EXPECT_EQ(resolved_science(a), resolved_science(b));
  EXPECT_NE(resolved_operational(a), resolved_operational(b));
  EXPECT_NE(resolved(a), resolved(b));
  for (const auto& key : deck_keys()) {
    if (!key.operational) continue;
    EXPECT_EQ(resolved_science(a).find("\n" + key.name + " ="), std::string::npos) << key.full_name();
  }
}

TEST_F(Echo, SciencePathsStayAsHeld) {
  const Deck deck = load_lines("", {"--family.path=rel/fam"});
  expect_holds(resolved_science(deck), "[family]\npath = rel/fam\n");
  expect_holds(resolved(deck), "[family]\npath = " + std::filesystem::absolute("rel/fam").string() + "\n");
}

/// The stages whose keys change when the deck is loaded with this override.
std::string changed_stages(const Deck& base, const Deck& changed) {
  std::string names;
  for (const Stage stage : every_stage) {
    if (keys_of(base, stage) != keys_of(changed, stage)) names += std::string(name_of(stage)) + " ";
  }
  return names;
}

TEST_F(Echo, EachKeyBelongsToTheStagesThatReadIt) {
  const Deck base = load_lines("[anchor.time]\n");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"family.path=other", ""},
      {"family.models=a", ""},
      {"family.steps=log:3", ""},
      {"probes.path=other", ""},
      {"match.subjects=other", ""},
      {"run.output=other", ""},
      {"run.threads=7", ""},
      {"run.memory=7G", ""},
      {"controls.random_latents=3", "track "},
      {"controls.ceiling=no", "track "},
      {"controls.random_weights=curves", "track "},
      {"controls.first_step=yes", "track "},
      {"controls.own_anchor=time,scale", "track "},
      {"controls.seeds=no", "track "},
      {"run.redo=yes", ""},
      {"run.device=host", ""},
      {"extract.layers=all", ""},
      {"extract.dtype=float16", "extract "},
      {"extract.components=yes", ""},
      {"probes.template=Q {question}", "extract loss "},
      {"probes.limit=3", "extract loss "},
      {"run.pack_tokens=99", "extract loss "},
      {"probes.split=none", "train interpret match align attribute track "},
      {"run.seed=2", "train interpret match align attribute track "},
      {"sae.k=2", "train "},
      {"sae.latents=2", "train "},
      {"interpret.f1=0.5", "interpret "},
      {"interpret.teacher=cache", "interpret "},
      {"interpret.model=m", "interpret "},
      {"interpret.prompts=asked", ""},
      {"interpret.server=http://h:1", ""},
      {"interpret.retries=9", ""},
      {"match.tau=0.5", "match "},
      {"match.phrases=mean", "match "},
      {"match.encoder=mpnet", ""},
      {"track.bootstrap=5", "attribute track "},
      {"anchor.time.layer=0", "train align attribute track "},
      {"anchor.time.step=0", "train align attribute track "},
      {"anchor.time.curves=grid", "track "},
  };
  for (const auto& [override, stages] : cases) {
    EXPECT_EQ(changed_stages(base, load_lines("[anchor.time]\n", {"--" + override})), stages) << override;
  }
}

TEST_F(Echo, ATeachersModelIsAFolderForNeoxAlone) {
  const Deck words = load_lines("[interpret]\nteacher = cache\nmodel = m/../n/\n");
  EXPECT_EQ(words.interpret.model, "m/../n/");
  expect_holds(resolved(words), "model = m/../n/\n");
  expect_holds(keys_of(words, Stage::interpret), "interpret.model = m/../n/\n");
  const Deck folder = load_lines("[interpret]\nmodel = m/../n/\nteacher = neox\n");
  EXPECT_EQ(folder.interpret.model_path, folder_ / "n");
  expect_holds(resolved(folder), "model = " + (folder_ / "n").string() + "\n");
  EXPECT_EQ(keys_of(folder, Stage::interpret).find("interpret.model"), std::string::npos);
}

TEST_F(Echo, AnAnchorsStageReadsOnlyItsOwnLines) {
  const Deck deck = load_lines("[anchor.a]\nlayer = 1\n[anchor.b]\nlayer = 2\n");
  expect_holds(keys_of(deck, Stage::train, "a"), "anchor.a.layer = 1\n");
  EXPECT_EQ(keys_of(deck, Stage::train, "a").find("anchor.b"), std::string::npos);
  expect_holds(keys_of(deck, Stage::train), "anchor.b.layer = 2\n");
  EXPECT_EQ(keys_of(deck, Stage::extract).find("anchor"), std::string::npos);
}

TEST(DifferingKeys, NamesWhatDiffers) {
  EXPECT_EQ(differing_keys("a.b = 1\nc.d = x y\n", "a.b = 1\nc.d = x y\n"), Names{});
  EXPECT_EQ(differing_keys("a.b = 1\nc.d = 2\n", "a.b = 1\nc.d = 3\n"), Names{"c.d"});
  EXPECT_EQ(differing_keys("a.b = 1\nc.d = 2\n", "c.d = 2\n"), Names{"a.b"});
  EXPECT_EQ(differing_keys("c.d =\n", "a.b = 1\nc.d = \n"), Names{"a.b"});
  EXPECT_EQ(differing_keys("a = 1\nb = 2", "b = 3\nc = 1"), (Names{"a", "b", "c"}));
  EXPECT_EQ(differing_keys("", ""), Names{});
}

}  // namespace
}  // namespace incipit::deck
