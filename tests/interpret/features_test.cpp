#include "interpret/features.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "scene.hpp"

namespace incipit::interpret {
namespace {

corpus::Probes of_texts(const std::vector<std::string>& texts) {
  corpus::Probes probes;
  for (const std::string& text : texts) {
    probes.group.push_back(static_cast<int32_t>(probes.all.size()));
    probes.all.push_back({"x", "x", "x", text, "x"});
  }
  return probes;
}

std::vector<int64_t> range(std::size_t n) {
  std::vector<int64_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(Features, CommonEndingIsCutInWholeCharacters) {
  EXPECT_EQ(common_ending(of_texts({"one\nSubject:", "two\nSubject:"}), range(2)), "\nSubject:");
  // The last bytes of é (C3 A9) and © (C2 A9) are the same.
  EXPECT_EQ(common_ending(of_texts({"caf\xC3\xA9", "\xC2\xA9"}), range(2)), "");
  EXPECT_EQ(common_ending(of_texts({"alone"}), range(1)), "");
  EXPECT_EQ(without_ending("x\nSubject:", "\nSubject:"), "x");
  EXPECT_EQ(without_ending("x", "\nSubject:"), "x");
}

TEST(Features, GramIsThePlainProduct) {
  const corpus::Probes probes = testing::make_probes(40, 2, 2, 7);
  const TextFeatures features(probes, range(probes.all.size()));
  std::vector<SparseRow> rows;
  for (const corpus::Probe& probe : probes.all) rows.push_back(features.row(probe.text));
  std::vector<const SparseRow*> pointers;
  for (const SparseRow& row : rows) pointers.push_back(&row);
  std::vector<float> zeros(static_cast<std::size_t>(features.columns()));
  const std::vector<double> k = gram(pointers, zeros);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double> line = products(rows[i], pointers, zeros);
    for (std::size_t j = 0; j < rows.size(); ++j) {
      double plain = 0;
      for (std::size_t a = 0; a < rows[i].column.size(); ++a) {
        for (std::size_t b = 0; b < rows[j].column.size(); ++b) {
          if (rows[i].column[a] == rows[j].column[b]) {
            plain += static_cast<double>(rows[i].value[a]) * static_cast<double>(rows[j].value[b]);
          }
        }
      }
      EXPECT_NEAR(k[i * rows.size() + j], plain, 1e-5);
      EXPECT_NEAR(line[j], plain, 1e-5);
    }
    // Each block is of unit norm, or empty where none of its features is known.
    const double blocks = std::round(k[i * rows.size() + i]);
    EXPECT_GE(blocks, 1);
    EXPECT_LE(blocks, 3);
    EXPECT_NEAR(k[i * rows.size() + i], blocks, 1e-5);
  }
  for (const float zero : zeros) EXPECT_EQ(zero, 0);
}

TEST(Features, OneGroupsWordsAndEveryTextsWordsAreNoFeatures) {
  corpus::Probes probes = of_texts({"abcdef zebra", "abcdef zebra", "abcdef lion", "abcdef lion"});
  probes.group = {0, 0, 1, 2};
  const TextFeatures features(probes, range(4));
  EXPECT_TRUE(features.row("zebra").column.empty());
  EXPECT_FALSE(features.row("lion").column.empty());
  EXPECT_TRUE(features.row("abcdef").column.empty());
  EXPECT_TRUE(features.row("").column.empty());
}

}  // namespace
}  // namespace incipit::interpret
