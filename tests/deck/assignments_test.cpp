#include "deck/assignments.hpp"

#include <random>

#include "deck/registry.hpp"
#include "deck_files.hpp"

namespace incipit::deck {
namespace {

Assignments read(const std::string& ini) {
  return read_ini(ini, "a.ini", "inputs");
}

std::string rejection(const std::string& ini) {
  return usage_message([&] { read(ini); });
}

TEST(ReadIni, GivesKeysWithTheirLines) {
  const auto all = read("# a deck\n\n[sae]\n  latents =  64  \nk=2\n[anchor.late]\nlayer = last\n");
  ASSERT_EQ(all.texts.size(), 3U);
  EXPECT_EQ(all.texts[0].key, "sae.latents");
  EXPECT_EQ(all.texts[0].value, "64");
  EXPECT_EQ(all.texts[0].where, "a.ini:4");
  EXPECT_EQ(all.texts[0].base, "inputs");
  EXPECT_EQ(all.texts[1].where, "a.ini:5");
  EXPECT_EQ(all.texts[2].key, "anchor.late.layer");
  EXPECT_EQ(all.anchors, std::vector<std::string>{"late"});
}

TEST(ReadIni, TakesWindowsLinesMarksAndNoLastNewline) {
  const auto all = read("\xEF\xBB\xBF[sae]\r\nlatents = 64\r\n[probes]\r\ntemplate = {question}\\nA = B:");
  ASSERT_EQ(all.texts.size(), 2U);
  EXPECT_EQ(all.texts[0].value, "64");
  EXPECT_EQ(all.texts[1].value, "{question}\\nA = B:");
}

TEST(ReadIni, EmptyValuesAndEmptyDecksAreFine) {
  EXPECT_TRUE(read("").texts.empty());
  EXPECT_TRUE(read("\n# nothing\n").texts.empty());
  const auto all = read("[probes]\nsubjects =\n");
  ASSERT_EQ(all.texts.size(), 1U);
  EXPECT_EQ(all.texts[0].value, "");
}

TEST(ReadIni, ABareAnchorSectionCounts) {
  EXPECT_EQ(read("[anchor.b]\n[anchor.a]\nstep = 1\n[anchor.b]\n").anchors,
            (std::vector<std::string>{"b", "a"}));
}

TEST(ReadIni, UnknownKeysNameTheNearestAndTheLine) {
  const auto message = rejection("[sae]\nk = 1\nlatent = 64\n");
  expect_holds(message, "a.ini:3: unknown key sae.latent; the nearest known one is sae.latents");
  expect_holds(message, "incipit run --help");
  expect_holds(rejection("[anchor.time]\nlayr = 3\n"), "anchor.time.layer");
  expect_holds(rejection("anchor.time = 3\n"), "unknown key anchor.time");
  expect_holds(rejection("[anchor.time]\nx.y = 3\n"), "unknown key anchor.time.x.y");
  expect_holds(rejection("latents = 3\n"), "nearest known one is sae.latents");
  expect_holds(rejection("[run]\nwwwwwwwwwwwwwwwwwww = 3\n"), "unknown key run.wwwwwwwwwwwwwwwwwww");
}

TEST(ReadIni, GuessesNoShortenedNames) {
  expect_holds(rejection("[sae]\nlat = 64\n"), "unknown key sae.lat");
}

TEST(ReadIni, UnknownSectionsNameTheNearest) {
  expect_holds(rejection("[sea]\n"), "a.ini:1: unknown section [sea]; the nearest known one is [sae]");
  expect_holds(rejection("[]\n"), "unknown section []");
  expect_holds(rejection("[ sae ]\n"), "unknown section");
  expect_holds(rejection("[sae.]\n"), "unknown section");
  expect_holds(rejection("[anchor]\n"), "unknown section [anchor]; the nearest known one is [anchor.NAME]");
}

TEST(ReadIni, AnchorNamesAreLowerCaseWords) {
  for (const char* name : {"NAME", "Time", "a b", "a-b", "a.b", "", "\xC3\xA9", "../x"}) {
    expect_holds(rejection("[anchor." + std::string(name) + "]\nstep = 1\n"), "a.ini:1: [anchor.");
  }
  expect_holds(rejection("anchor.Time.step = 1\n"), "the anchor's name 'Time'");
  EXPECT_EQ(read("[anchor." + std::string(64, 'a') + "]\n").anchors.size(), 1U);
  rejection("[anchor." + std::string(65, 'a') + "]\n");
}

TEST(ReadIni, KeysSetTwiceNameBothLines) {
  const auto message = rejection("[sae]\nk = 1\n[run]\nseed = 2\n[sae]\nk = 3\n");
  expect_holds(message, "a.ini:6: sae.k is set twice: '3' here and '1' at a.ini:2");
}

TEST(ReadIni, ValuesHoldNoHash) {
  expect_holds(rejection("[sae]\nk = 1 # few\n"), "a.ini:2: found 'k = 1 # few', but values hold no '#'");
  expect_holds(rejection("[sae] # the dictionary\n"), "a.ini:1:");
}

TEST(ReadIni, OtherLinesAreNoDeck) {
  expect_holds(rejection("[sae]\nlatents 64\n"), "a.ini:2: found 'latents 64', expected key = value");
  expect_holds(rejection("[sae\nk = 1\n"), "a.ini:1: found '[sae', expected key = value");
  expect_holds(rejection("= 5\n"), "a.ini:1: unknown key");
  expect_holds(rejection("; k = 5\n"), "a.ini:1: unknown key");
  expect_holds(rejection(std::string("[sae]\nk = 1\0\n", 13)), "a.ini:2: a control character");
  expect_holds(rejection("\x7F"
                         "ELF"),
               "a.ini:1: a control character");
}

TEST(ReadOverrides, GiveKeys) {
  const auto all = read_overrides({"--sae.latents=256", "--probes.subjects=", "--anchor.late.layer=0.5",
                                   "--probes.template={question} = ?"});
  ASSERT_EQ(all.texts.size(), 4U);
  EXPECT_EQ(all.texts[0].key, "sae.latents");
  EXPECT_EQ(all.texts[0].value, "256");
  EXPECT_EQ(all.texts[0].where, "command line");
  EXPECT_EQ(all.texts[0].base, "");
  EXPECT_EQ(all.texts[1].value, "");
  EXPECT_EQ(all.texts[3].value, "{question} = ?");
  EXPECT_EQ(all.anchors, std::vector<std::string>{"late"});
}

TEST(ReadOverrides, RefuseWhatIsNoKey) {
  const auto refused = [](const std::string& word) { return usage_message([&] { read_overrides({word}); }); };
  expect_holds(refused("--sae.latent=3"),
               "command line: unknown key sae.latent; the nearest known one is sae.latents");
  expect_holds(refused("sae.latents=3"), "command line: found 'sae.latents=3', expected --section.key=value");
  expect_holds(refused("--sae.latents"), "expected --section.key=value");
  expect_holds(refused("--sae.latents=3\n[run]"), "on one line");
  expect_holds(refused("--sae.latents=3#"), "values hold no '#'");
  expect_holds(refused("--run.out=x"), "unknown key run.out");
  expect_holds(usage_message([&] { read_overrides({"--sae.k=1", "--sae.k=2"}); }), "sae.k is set twice");
}

// Whatever bytes a deck is made of, the answer is a result or a usage error with a place, never anything
// else.
TEST(ReadIni, RandomDecksEndInAnAnswer) {
  const std::vector<std::string> pieces = {
      "[",  "]",    "[sae]", "[anchor.", "time]", "[run]", "\n", "\n",     "=",          " ",     "#",
      "k",  "seed", ".",     "64",       "-1",    "\xFF",  "\t", "anchor", "[anchor.a]", "layer", "last",
      "\r", "auto", "[fam]", "= =",      "sae.k", "\\n",   "]]", "[[",     "\x01",       "*"};
  std::mt19937 random(11);
  int good = 0;
  int bad = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string ini;
    for (std::size_t n = random() % 12; n > 0; --n) ini += pieces[random() % pieces.size()];
    SCOPED_TRACE(ini);
    try {
      read(ini);
      ++good;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Exit::usage);
      ASSERT_EQ(std::string(error.what()).find("a.ini:"), 0U);
      ++bad;
    }
  }
  EXPECT_GT(good, 100);
  EXPECT_GT(bad, 100);
}

// A good deck with one byte changed, removed or doubled: an answer, and nothing taken for what it is not.
TEST(ReadIni, DamagedDecksEndInAnAnswer) {
  const std::string good = "[family]\npath = nano\n[sae]\nlatents = 64\n[anchor.time]\nlayer = last\n";
  std::mt19937 random(13);
  for (int round = 0; round < 4000; ++round) {
    std::string ini = good;
    const std::size_t at = random() % ini.size();
    switch (random() % 3) {
      case 0:
        ini[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        ini.erase(at, 1);
        break;
      default:
        ini.insert(at, 1, ini[at]);
    }
    SCOPED_TRACE(ini);
    const auto names = known_names("time");
    try {
      for (const Text& text : read(ini).texts) {
        const auto anchor = as_anchor_name(text.key);
        ASSERT_TRUE(anchor ? good_anchor_name(anchor->anchor)
                           : std::find(names.begin(), names.end(), text.key) != names.end());
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Exit::usage) << error.what();
    }
  }
}

}  // namespace
}  // namespace incipit::deck
