#include "corpus/packs.hpp"

#include <algorithm>
#include <numeric>

#include "../support.hpp"
#include "random.hpp"

namespace incipit::corpus {
namespace {

const std::filesystem::path nano = std::filesystem::path(INCIPIT_SOURCE_DIR) / "inputs/nano/tokenizer.json";

/// Two subjects; digits are one token each, so "12345" has five and "1 2" has more than two.
Probes probes_of(const std::vector<std::string>& texts) {
  Probes probes;
  probes.subjects = {"a", "b"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    probes.all.push_back({std::to_string(i), "a", "g", texts[i], "x.jsonl:" + std::to_string(i + 1)});
    probes.subject.push_back(static_cast<int32_t>(i % 2));
  }
  return probes;
}

class TokenizeTest : public testing::Test {
 protected:
  [[nodiscard]] Tokenized run(const std::vector<std::string>& texts, int64_t context) const {
    return tokenize(probes_of(texts), tokenizer_, options_, context);
  }
  void refuses(Exit code, const std::vector<std::string>& parts, const std::vector<std::string>& texts,
               int64_t context) const {
    test::expect_error(code, parts, [&] { (void)run(texts, context); });
  }

  Tokenizer tokenizer_ = Tokenizer::load(nano);
  ProbeOptions options_;
};

TEST_F(TokenizeTest, GivesTheTokensOfEachText) {
  const Tokenized tokenized = run({"The cell", "A bond\n"}, 10);
  EXPECT_EQ(tokenized.tokens[0], tokenizer_.encode("The cell"));
  EXPECT_EQ(tokenized.tokens[1], tokenizer_.encode("A bond\n"));
  EXPECT_EQ(tokenized.dropped + tokenized.cut, 0);
}

TEST_F(TokenizeTest, TreatsLongTextsAsAsked) {
  const std::string text = "!a!b!c!d!e!f";
  const std::vector<int32_t> all = tokenizer_.encode(text);
  const auto context = static_cast<int64_t>(all.size()) - 2;
  const Tokenized dropped = run({"x", "y", text}, context);
  EXPECT_TRUE(dropped.tokens[2].empty());
  EXPECT_EQ(dropped.dropped, 1);
  EXPECT_EQ(run({"x", text}, context + 2).dropped, 0);
  options_.long_ = "left";
  const Tokenized cut = run({text, "y"}, context);
  EXPECT_EQ(cut.tokens[0], std::vector<int32_t>(all.begin() + 2, all.end()));
  EXPECT_EQ(cut.cut, 1);
  options_.long_ = "error";
  refuses(Exit::data, {"x.jsonl:1", "'0'", "probes.long"}, {text, "y"}, context);
  options_.long_ = "right";
  refuses(Exit::usage, {"probes.long", "'right'"}, {"x", "y"}, context);
}

TEST_F(TokenizeTest, PutsTheBosTokenFirst) {
  options_.bos = true;
  options_.long_ = "left";
  const std::vector<int32_t> all = tokenizer_.encode("!a!b!c");
  const Tokenized tokenized = run({"!a!b!c", "y"}, 3);
  EXPECT_EQ(tokenized.tokens[0], (std::vector<int32_t>{0, all[all.size() - 2], all.back()}));
  refuses(Exit::data, {"no room"}, {"x", "y"}, 1);
}

TEST_F(TokenizeTest, RefusesWhatLeavesNothing) {
  refuses(Exit::data, {"'b'", "probes.long = left"}, {"x", "!a!b!c!d"}, 3);
  refuses(Exit::data, {"x.jsonl:2", "'1'", "byte 1"}, {"x", "y\xff"}, 3);
  refuses(Exit::data, {"x.jsonl:2", "'1'", "no tokens"}, {"x", ""}, 3);
}

Tokenized lengths(const std::vector<std::size_t>& sizes) {
  Tokenized tokenized;
  int32_t next = 0;
  for (const std::size_t size : sizes) {
    std::vector<int32_t>& tokens = tokenized.tokens.emplace_back(size);
    std::iota(tokens.begin(), tokens.end(), next);
    next += static_cast<int32_t>(size);
  }
  return tokenized;
}

TEST(MakePacks, SortsByLengthAndCuts) {
  const std::vector<Pack> packs = make_packs(lengths({3, 0, 1, 3, 2, 5}), 6);
  ASSERT_EQ(packs.size(), 3u);
  EXPECT_EQ(packs[0].probes, (std::vector<int64_t>{2, 4, 0}));
  EXPECT_EQ(packs[0].starts, (std::vector<int64_t>{0, 1, 3, 6}));
  EXPECT_EQ(packs[0].tokens, (std::vector<int32_t>{3, 7, 8, 0, 1, 2}));
  EXPECT_EQ(packs[1].probes, std::vector<int64_t>{3});
  EXPECT_EQ(packs[2].probes, std::vector<int64_t>{5});
  EXPECT_TRUE(make_packs(lengths({0, 0}), 6).empty());
  test::expect_error(Exit::usage, {"run.pack_tokens", "4", "5"}, [] {
    (void)make_packs(lengths({1, 5}), 4);
  });
}

TEST(MakePacks, HoldsEveryProbeOnce) {
  for (uint64_t trial = 0; trial < 50; ++trial) {
    Random random(4, Purpose::test, trial);
    std::vector<std::size_t> sizes(1 + random.below(200));
    for (std::size_t& size : sizes) size = random.below(40);
    const Tokenized tokenized = lengths(sizes);
    std::vector<int> seen(sizes.size(), 0);
    std::size_t longest = 0;
    for (const Pack& pack : make_packs(tokenized, 64)) {
      ASSERT_LE(pack.tokens.size(), 64u);
      ASSERT_EQ(pack.starts.size(), pack.probes.size() + 1);
      for (std::size_t i = 0; i < pack.probes.size(); ++i) {
        const auto probe = static_cast<std::size_t>(pack.probes[i]);
        ++seen[probe];
        EXPECT_GE(sizes[probe], longest);
        longest = sizes[probe];
        EXPECT_EQ(std::vector<int32_t>(pack.tokens.begin() + pack.starts[i],
                                       pack.tokens.begin() + pack.starts[i + 1]),
                  tokenized.tokens[probe]);
      }
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(seen[i], sizes[i] > 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace incipit::corpus
