#include "corpus/bpe.hpp"

#include <gtest/gtest.h>

#include <map>

#include "random.hpp"

namespace incipit::corpus {
namespace {

using Merge = MergeTable::Merge;
using Ids = std::vector<int32_t>;

Ids merged(const MergeTable& table, const Ids& tokens) {
  Ids out;
  WordMerger(table).merge(tokens, out);
  return out;
}

/// Byte-pair encoding as it is told: look through the word for the best pair, merge it, look again.
Ids naive(const std::vector<Merge>& merges, Ids tokens) {
  std::map<std::pair<int32_t, int32_t>, Merge> table;
  for (const Merge& merge : merges) table[{merge.left, merge.right}] = merge;
  while (true) {
    std::size_t best = tokens.size();
    int32_t rank = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto it = table.find({tokens[i], tokens[i + 1]});
      if (it != table.end() && (best == tokens.size() || it->second.rank < rank)) {
        best = i;
        rank = it->second.rank;
      }
    }
    if (best == tokens.size()) return tokens;
    tokens[best] = table[{tokens[best], tokens[best + 1]}].merged;
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(WordMerger, MergesByRankThenFromTheLeft) {
  const MergeTable table(std::vector<Merge>{{1, 2, 0, 10}, {0, 1, 1, 11}, {0, 10, 2, 12}, {0, 0, 3, 13}});
  EXPECT_EQ(merged(table, {0, 1, 2}), Ids{12});
  EXPECT_EQ(merged(table, {0, 1, 1}), (Ids{11, 1}));
  EXPECT_EQ(merged(table, {0, 0, 0}), (Ids{13, 0}));
  EXPECT_EQ(merged(table, {2, 1, 0}), (Ids{2, 1, 0}));
  EXPECT_EQ(merged(table, {5}), Ids{5});
  EXPECT_EQ(merged(table, {}), Ids{});
}

TEST(WordMerger, EqualsTheNaiveOne) {
  for (uint64_t trial = 0; trial < 300; ++trial) {
    Random random(2, Purpose::test, trial);
    const auto letters = static_cast<int32_t>(1 + random.below(4));
    std::vector<Merge> merges;
    // Every merge makes a token of its own from tokens there already, as training does.
    for (int32_t i = 0; i < static_cast<int32_t>(random.below(40)); ++i) {
      const auto any = [&] { return static_cast<int32_t>(random.below(static_cast<uint64_t>(letters + i))); };
      merges.push_back({any(), any(), i, letters + i});
    }
    const MergeTable table(merges);
    for (int word = 0; word < 20; ++word) {
      Ids tokens(random.below(60));
      for (int32_t& token : tokens)
        token = static_cast<int32_t>(random.below(static_cast<uint64_t>(letters)));
      ASSERT_EQ(merged(table, tokens), naive(merges, tokens)) << trial;
    }
  }
}

TEST(MergeTable, TheLaterOfTwoCounts) {
  const MergeTable table(std::vector<Merge>{{0, 1, 0, 5}, {0, 1, 1, 6}});
  EXPECT_EQ(table.find(0, 1).merged, 6);
  EXPECT_EQ(table.find(1, 0).merged, -1);
  EXPECT_EQ(MergeTable({}).find(0, 0).merged, -1);
}

}  // namespace
}  // namespace incipit::corpus
