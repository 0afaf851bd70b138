#include "corpus/split.hpp"

#include <algorithm>

#include "../support.hpp"

namespace incipit::corpus {
namespace {

constexpr Part F = Part::fit, V = Part::verify, J = Part::judge;
using Parts = std::vector<Part>;

TEST(ParseSplit, ReadsRatios) {
  EXPECT_EQ(parse_split("2:1:1"), (std::array<int64_t, 3>{2, 1, 1}));
  EXPECT_EQ(parse_split("10:3:7"), (std::array<int64_t, 3>{10, 3, 7}));
  EXPECT_EQ(parse_split("none"), std::nullopt);
  for (const std::string text :
       {"", "2:1", "2:1:0", "2:1:1:1", "2:1:1 ", "a:b:c", "-2:1:1", "None", "2,1,1", "1001:1:1"}) {
    test::expect_error(Exit::usage, {"probes.split", "'" + text + "'"}, [&] { (void)parse_split(text); });
  }
}

TEST(Dealing, SpreadsTheParts) {
  EXPECT_EQ(dealing({2, 1, 1}), (Parts{F, V, F, J}));
  EXPECT_EQ(dealing({4, 2, 2}), (Parts{F, V, F, J, F, V, F, J}));
  EXPECT_EQ(dealing({1, 1, 1}), (Parts{F, V, J}));
  EXPECT_EQ(dealing({6, 1, 1}), (Parts{F, F, F, V, F, F, F, J}));
  for (int64_t fit = 1; fit < 6; ++fit) {
    for (int64_t verify = 1; verify < 6; ++verify) {
      for (int64_t judge = 1; judge < 6; ++judge) {
        const Parts order = dealing({fit, verify, judge});
        EXPECT_EQ(std::count(order.begin(), order.end(), F), fit);
        EXPECT_EQ(std::count(order.begin(), order.end(), V), verify);
        EXPECT_EQ(std::count(order.begin(), order.end(), J), judge);
      }
    }
  }
}

/// The order within each subject was found with Python's hashlib:
/// sorted(groups, key=lambda g: (sha256(f"{seed}:{g}".encode()).digest()[:8], g))
TEST(SplitGroups, IsAsInPython) {
  const std::vector<std::string> groups{"atom",   "bond",   "cell",    "enzyme", "audit", "gene",
                                        "neuron", "équité", "osmosis", "virus",  "tax"};
  const std::vector<int32_t> subject{0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1};
  const auto dealt = [&](uint64_t seed) { return split_groups(groups, subject, seed, {2, 1, 1}); };
  const auto expected = [&](const std::vector<int>& first, const std::vector<int>& second) {
    const Parts order{F, V, F, J};
    Parts parts;
    std::size_t a = 0, b = 0;
    for (const int32_t s : subject)
      parts.push_back(order[static_cast<std::size_t>(s == 0 ? first[a++] : second[b++])]);
    return parts;
  };
  // Positions (modulo 4) of atom cell enzyme gene neuron osmosis virus, and of bond audit équité tax.
  EXPECT_EQ(dealt(1), expected({2, 0, 0, 3, 1, 1, 2}, {1, 3, 0, 2}));
  EXPECT_EQ(dealt(42), expected({3, 1, 2, 1, 2, 0, 0}, {3, 1, 0, 2}));
  EXPECT_EQ(dealt(18446744073709551615u), expected({1, 1, 2, 3, 2, 0, 0}, {0, 1, 3, 2}));
}

TEST(SplitGroups, DoesNotDependOnTheOrder) {
  std::vector<std::string> groups;
  for (int i = 0; i < 101; ++i) groups.push_back("group " + std::to_string(i));
  const std::vector<int32_t> subject(groups.size(), 0);
  const Parts parts = split_groups(groups, subject, 5, {2, 1, 1});
  EXPECT_EQ(std::count(parts.begin(), parts.end(), F), 51);
  EXPECT_EQ(std::count(parts.begin(), parts.end(), V), 25);
  std::reverse(groups.begin(), groups.end());
  Parts reversed = split_groups(groups, subject, 5, {2, 1, 1});
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(parts, reversed);
  EXPECT_TRUE(split_groups({}, {}, 5, {2, 1, 1}).empty());
}

}  // namespace
}  // namespace incipit::corpus
