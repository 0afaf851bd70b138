#include <fmt/format.h>

#include "deck/registry.hpp"
#include "deck_files.hpp"

namespace incipit::deck {
namespace {

namespace fs = std::filesystem;
using Load = DeckFiles;

TEST_F(Load, DefaultsAreThoseOfTheOptionStructs) {
  const Deck deck = load_lines("");
  EXPECT_EQ(deck.family.steps, "all");
  EXPECT_TRUE(deck.family.models.empty());
  EXPECT_EQ(deck.probes.format, "jsonl");
  EXPECT_EQ(deck.probes.template_, "{question}");
  EXPECT_EQ(deck.probes.split, "2:1:1");
  EXPECT_EQ(deck.probes.long_, "drop");
  EXPECT_EQ(deck.sae.latents, 512);
  EXPECT_EQ(deck.sae.k, 1);
  EXPECT_EQ(deck.sae.steps, 3000);
  EXPECT_EQ(deck.interpret.f1, 0.9);
  EXPECT_EQ(deck.interpret.prompts, "bundled");
  EXPECT_EQ(deck.match.tau, "auto");
  EXPECT_EQ(deck.match.encoder, "lexical");
  EXPECT_EQ(deck.match.phrases, "max");
  EXPECT_EQ(deck.track.bootstrap, 1000);
  EXPECT_EQ(deck.run.pack_tokens, 2048);
  EXPECT_EQ(deck.run.seed, 1U);
  EXPECT_FALSE(deck.run.memory);
  EXPECT_FALSE(deck.run.threads);
  EXPECT_FALSE(deck.run.redo);
  EXPECT_TRUE(deck.run.keep_activations);
  EXPECT_FALSE(deck.run.queue);
}

TEST_F(Load, ADeckWithoutAnchorsHasOneAtTheEnd) {
  const Deck deck = load_lines("");
  ASSERT_EQ(deck.anchors.size(), 1U);
  EXPECT_EQ(deck.anchors[0].name, "time");
  EXPECT_EQ(deck.anchors[0].model, "");
  EXPECT_EQ(deck.anchors[0].step, "last");
  EXPECT_EQ(deck.anchors[0].layer, "last");
  EXPECT_EQ(deck.anchors[0].curves, std::vector<std::string>{"time"});
}

TEST_F(Load, EveryKeyReachesItsField) {
  const Deck deck = load_lines(
      "format = mmlu\ntemplate = {question}\\nSubject:\nsplit = none\nsubjects = math, computer "
      "science\nlimit = 7\n"
      "bos = true\nlong = left\n"
      "[family]\nmodels = a, b\nsteps = log:25\n"
      "[anchor.time]\nmodel = b\nstep = 1000\nlayer = 0.5\ncurves = scale, time\n"
      "[extract]\nlayers = 3,1\ndtype = float16\n"
      "[sae]\nlatents = 64\nk = 2\nsteps = 10\nbatch = 32\nseeds = 3\ninit = random\ndead_after = 99\n"
      "[interpret]\nteacher = cache\nmodel = org/m\nprompts = asked\nf1 = 0.8\nmin_support = 4\n"
      "server = https://h.org/v1/\nkey_env = KEY_1\nkey_over_http = yes\nconcurrency = 3\nrate = 60\n"
      "timeout = 2m\nretries = 0\n"
      "[match]\nencoder = lexical\nsubjects = s.json\ntau = 0.3\n"
      "[track]\nbootstrap = 50\npermutations = 0\n"
      "[run]\noutput = out\ndevice = host\nprecision = fp32\npack_tokens = 100\nmemory = 2G\nthreads = "
      "3\nseed = 9\n"
      "audit = ignore\nmax_time = 90s\npatience = 20m\nredo = yes\nkeep_activations = no\nqueue = yes\n"
      "mpi_hints = cb_nodes=4\n");
  EXPECT_EQ(deck.family.models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(deck.family.steps, "log:25");
  EXPECT_EQ(deck.probes.format, "mmlu");
  EXPECT_EQ(deck.probes.template_, "{question}\\nSubject:");
  EXPECT_EQ(deck.probes.split, "none");
  EXPECT_EQ(deck.probes.subjects, (std::vector<std::string>{"math", "computer science"}));
  EXPECT_EQ(deck.probes.limit, 7);
  EXPECT_TRUE(deck.probes.bos);
  EXPECT_EQ(deck.probes.long_, "left");
  ASSERT_EQ(deck.anchors.size(), 1U);
  EXPECT_EQ(deck.anchors[0].model, "b");
  EXPECT_EQ(deck.anchors[0].step, "1000");
  EXPECT_EQ(deck.anchors[0].layer, "0.5");
  EXPECT_EQ(deck.anchors[0].curves, (std::vector<std::string>{"time", "scale"}));
  EXPECT_EQ(deck.extract.layers, "1,3");
  EXPECT_EQ(deck.extract.dtype, "float16");
  EXPECT_EQ(deck.sae.latents, 64);
  EXPECT_EQ(deck.sae.k, 2);
  EXPECT_EQ(deck.sae.steps, 10);
  EXPECT_EQ(deck.sae.batch, 32);
  EXPECT_EQ(deck.sae.seeds, 3);
  EXPECT_EQ(deck.sae.init, "random");
  EXPECT_EQ(deck.sae.dead_after, 99);
  EXPECT_EQ(deck.interpret.teacher, "cache");
  EXPECT_EQ(deck.interpret.model, "org/m");
  EXPECT_EQ(deck.interpret.prompts, folder_ / "asked");
  EXPECT_EQ(deck.interpret.f1, 0.8);
  EXPECT_EQ(deck.interpret.min_support, 4);
  EXPECT_EQ(deck.interpret.server, "https://h.org/v1");
  EXPECT_EQ(deck.interpret.key_env, "KEY_1");
  EXPECT_TRUE(deck.interpret.key_over_http);
  EXPECT_EQ(deck.interpret.concurrency, 3);
  EXPECT_EQ(deck.interpret.rate, 60);
  EXPECT_EQ(deck.interpret.timeout, 120);
  EXPECT_EQ(deck.interpret.retries, 0);
  EXPECT_EQ(deck.match.subjects, folder_ / "s.json");
  EXPECT_EQ(deck.match.tau, "0.3");
  EXPECT_EQ(deck.track.bootstrap, 50);
  EXPECT_EQ(deck.track.permutations, 0);
  EXPECT_EQ(deck.run.output, "out");
  EXPECT_EQ(deck.run.device, "host");
  EXPECT_EQ(deck.run.pack_tokens, 100);
  EXPECT_EQ(deck.run.memory, 2ULL << 30U);
  EXPECT_EQ(deck.run.threads, 3);
  EXPECT_EQ(deck.run.seed, 9U);
  EXPECT_EQ(deck.run.audit, "ignore");
  EXPECT_EQ(deck.run.max_time, 90);
  EXPECT_EQ(deck.run.patience, 1200);
  EXPECT_TRUE(deck.run.redo);
  EXPECT_FALSE(deck.run.keep_activations);
  EXPECT_TRUE(deck.run.queue);
  EXPECT_EQ(deck.run.mpi_hints, "cb_nodes=4");
}

TEST_F(Load, SecretsAreRefusedAndNotRepeated) {
  for (const char* word : {"--interpret.server=https://me:hunter2@h.org", "--interpret.key_env=sk-hunter2"}) {
    const std::string message = usage_message([&] { (void)load_lines("", {word}); });
    expect_holds(message, "not shown");
    expect_holds(message, "key");
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
}

TEST_F(Load, ATeacherBehindAServerNeedsItsModel) {
  expect_holds(usage_message([&] { (void)load_lines("[interpret]\nteacher = http\n"); }), "interpret.model");
  EXPECT_EQ(load_lines("[interpret]\nteacher = http\nmodel = m\n").interpret.model, "m");
}

TEST_F(Load, AServerHasASchemeAndAHost) {
  for (const char* server : {"h.org", "ftp://h.org", "http://", "http:///v1", "https://h.org/?key=1"})
    expect_holds(usage_message([&] { (void)load_lines("", {std::string("--interpret.server=") + server}); }),
                 "http://localhost:8000");
}

TEST_F(Load, OverridesWin) {
  const Deck deck = load_lines("[sae]\nlatents = 64\n[anchor.a]\nlayer = 3\n",
                               {"--sae.latents=256", "--anchor.a.layer=0", "--anchor.b.step=5"});
  EXPECT_EQ(deck.sae.latents, 256);
  ASSERT_EQ(deck.anchors.size(), 2U);
  EXPECT_EQ(deck.anchors[0].name, "a");
  EXPECT_EQ(deck.anchors[0].layer, "0");
  EXPECT_EQ(deck.anchors[1].name, "b");
  EXPECT_EQ(deck.anchors[1].step, "5");
}

TEST_F(Load, CurvesFollowTheAnchorsName) {
  const Deck deck = load_lines("[anchor.space]\n[anchor.scale]\n[anchor.grid]\n[anchor.early]\nstep = 0\n");
  ASSERT_EQ(deck.anchors.size(), 4U);
  EXPECT_EQ(deck.anchors[0].curves, std::vector<std::string>{"space"});
  EXPECT_EQ(deck.anchors[1].curves, std::vector<std::string>{"scale"});
  EXPECT_EQ(deck.anchors[2].curves, std::vector<std::string>{"grid"});
  EXPECT_EQ(deck.anchors[3].curves, std::vector<std::string>{"time"});
}

TEST_F(Load, PathsOfADeckAreRelativeToIt) {
  const Deck deck = load_lines("");
  EXPECT_EQ(deck.family.path, (folder_ / "fam").string());
  EXPECT_EQ(deck.probes.path, folder_ / "probes.jsonl");
  EXPECT_EQ(deck.match.subjects, folder_ / "subjects.json");
  EXPECT_EQ(deck.run.output, "results/some");
}

TEST_F(Load, PathsOfTheCommandLineAreRelativeToTheWorkingDirectory) {
  const Deck deck =
      load_lines("[run]\noutput = out/deep/\n",
                 {"--family.path=elsewhere/fam", "--probes.path=../p.jsonl", "--match.subjects=s.json"});
  EXPECT_EQ(deck.family.path, "elsewhere/fam");
  EXPECT_EQ(deck.probes.path, "../p.jsonl");
  EXPECT_EQ(deck.match.subjects, "s.json");
  EXPECT_EQ(deck.run.output, "out/deep");
}

TEST_F(Load, TheLexicalEncoderIsNoPath) {
  EXPECT_EQ(load_lines("[match]\nencoder = lexical\n").match.encoder, "lexical");
  EXPECT_EQ(load_lines("[match]\nencoder = lexical 2\n").match.encoder, (folder_ / "lexical 2").string());
  EXPECT_EQ(load_lines("", {"--match.encoder=mpnet/"}).match.encoder, "mpnet");
}

TEST_F(Load, ADeckNamedFromItsOwnFolderKeepsShortPaths) {
  write("[family]\npath = ./fam\n[probes]\npath = p.jsonl\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const Deck deck = load("some.ini", {});
  fs::current_path(before);
  EXPECT_EQ(deck.family.path, "fam");
}

TEST_F(Load, CachesAreNoPaths) {
  EXPECT_EQ(load_lines("", {"--family.path=hf:EleutherAI"}).family.path, "hf:EleutherAI");
  EXPECT_EQ(load(write("[family]\npath = hf:EleutherAI\n[probes]\npath = p\n"), {}).family.path,
            "hf:EleutherAI");
}

TEST_F(Load, WorksWithoutADeck) {
  const Deck deck = load({}, {"--family.path=fam", "--probes.path=p.jsonl", "--run.output=out"});
  EXPECT_EQ(deck.family.path, "fam");
  EXPECT_EQ(deck.match.subjects, "subjects.json");
  expect_holds(usage_message([] {
                 load({}, {"--family.path=fam", "--probes.path=p"});
               }),
               "run.output is missing");
}

TEST_F(Load, RequiredKeysAreAskedFor) {
  const auto path = write("[sae]\nk = 1\n");
  const std::string message = usage_message([&] { load(path, {}); });
  expect_holds(message, path.string() + ": family.path is missing");
}

TEST_F(Load, MoreKeptThanThereAreIsRefused) {
  const auto message = usage_message([&] { load_lines("[sae]\nlatents = 8\n", {"--sae.k=9"}); });
  expect_holds(message, "sae.k = 9 (command line) is more than sae.latents = 8 (");
  expect_holds(message, "some.ini:6");
  EXPECT_EQ(load_lines("[sae]\nlatents = 8\nk = 8\n").sae.k, 8);
}

TEST_F(Load, ComponentsAreKeptInFull) {
  EXPECT_FALSE(load_lines("").extract.components);
  EXPECT_TRUE(load_lines("[extract]\ncomponents = yes\n").extract.components);
  const auto message =
      usage_message([&] { load_lines("[extract]\ndtype = float16\n", {"--extract.components=yes"}); });
  expect_holds(message,
               "extract.components = yes (command line) needs extract.dtype = float32, found float16 (");
}

TEST_F(Load, BadValuesNameKeyPlaceAndRange) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[sae]\nlatents = 0", "sae.latents: found '0', expected a whole number from 1"},
      {"[sae]\nlatents =", "sae.latents: found '', expected"},
      {"[sae]\ninit = zeros", "sae.init: found 'zeros', expected data or random"},
      {"[run]\nmemory = 8", "run.memory: found '8', expected a size"},
      {"[run]\nmax_time = soon", "run.max_time: found 'soon', expected a time"},
      {"[run]\nthreads = 0", "run.threads: found '0', expected"},
      {"[run]\ndevice = gpu", "run.device: found 'gpu', expected auto, host or cuda"},
      {"[run]\nredo = perhaps", "run.redo: found 'perhaps', expected yes or no"},
      {"[run]\noutput =", "run.output: found '', expected a path"},
      {"[interpret]\nf1 = 1.5", "interpret.f1: found '1.5', expected a number from 0 to 1"},
      {"[anchor.x]\nlayer = 1.0", "anchor.x.layer: found '1.0', expected"},
      {"[anchor.x]\ncurves = tyme", "anchor.x.curves: found 'tyme', expected any of"},
      {"[match]\nphrases = median", "match.phrases: found 'median', expected max or mean"},
      {"[match]\ntau = 2", "match.tau: found '2', expected auto, or a number from -1 to 1"},
  };
  for (const auto& [lines, expected] : cases) {
    const std::string message = usage_message([&, text = lines] { load_lines(text + "\n"); });
    expect_holds(message, "some.ini:6: " + expected);
  }
}

TEST_F(Load, NoDeckNoFolderNoUnreadableFile) {
  expect_holds(usage_message([&] { load(folder_ / "absent.ini", {}); }), "no such deck");
  expect_holds(usage_message([&] { load(folder_, {}); }), "a deck is a file");
  expect_holds(usage_message([&] { load(write(""), {}); }), "family.path is missing");
}

TEST_F(Load, DecksWithHashesInPathsAreRefusedNotCut) {
  expect_holds(usage_message([&] { load_lines("", {"--run.output=c#"}); }), "'#'");
}

TEST(PartWords, TellsKeysFromTheRest) {
  const Words words =
      part_words({"run", "--sae.latents", "256", "--sae.k=2", "deck.ini", "--quiet", "--run.redo", "other",
                  "--run.redo", "no", "--probes.bos", "--match.tau", "-0.3", "--probes.subjects", ""});
  EXPECT_EQ(words.others, (std::vector<std::string>{"run", "deck.ini", "--quiet", "other"}));
  EXPECT_EQ(words.overrides,
            (std::vector<std::string>{"--sae.latents=256", "--sae.k=2", "--run.redo=yes", "--run.redo=no",
                                      "--probes.bos=yes", "--match.tau=-0.3", "--probes.subjects="}));
}

TEST(PartWords, AKeyAtTheEndLacksItsValue) {
  expect_holds(usage_message([] { part_words({"--sae.latents"}); }), "--sae.latents stands without a value");
  expect_holds(usage_message([] { part_words({"--sae.latents", "--sae.k=1"}); }), "stands without a value");
}

TEST(Registry, TellsWhatItIs) {
  std::vector<std::string> seen;
  for (const auto& key : deck_keys()) {
    SCOPED_TRACE(key.full_name());
    EXPECT_FALSE(key.help.empty());
    EXPECT_EQ(std::count(seen.begin(), seen.end(), key.full_name()), 0);
    seen.push_back(key.full_name());
    EXPECT_EQ(std::count_if(sections().begin(), sections().end(),
                            [&](const Section& section) { return section.name == key.section; }),
              1);
    EXPECT_FALSE(key.operational && !key.stages.empty()) << "an operational key changes no result";
  }
}

}  // namespace
}  // namespace incipit::deck
