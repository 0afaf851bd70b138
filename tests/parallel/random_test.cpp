#include "random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace incipit {
namespace {

struct KnownAnswer {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
  std::array<std::uint32_t, 4> words;
};

TEST(Philox, GivesThePublishedAnswers) {
  // The three vectors that come with the authors' own library (Random123, philox4x32, 10 rounds).
  const std::array<KnownAnswer, 3> answers = {
      {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
       {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
        {0xffffffff, 0xffffffff},
        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
       {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
        {0xa4093822, 0x299f31d0},
        {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}}};
  for (const KnownAnswer& answer : answers) {
    const auto& c = answer.counter;
    const PhiloxBlock block = philox4x32({{c[0], c[1], c[2], c[3]}}, answer.key[0], answer.key[1]);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], answer.words[i]);
  }
}

TEST(Random, IsAFunctionOfSeedPurposeAndIndex) {
  const auto first = [](std::uint64_t seed, Purpose purpose, std::uint64_t index) {
    return Random(seed, purpose, index).bits64();
  };
  EXPECT_EQ(first(1, Purpose::test, 7), first(1, Purpose::test, 7));
  const std::set<std::uint64_t> different = {
      first(1, Purpose::test, 7), first(2, Purpose::test, 7),          first(1, Purpose::bootstrap, 7),
      first(1, Purpose::test, 8), first(1ULL << 32, Purpose::test, 7), first(1, Purpose::test, 7ULL << 32),
  };
  EXPECT_EQ(different.size(), 6U);
}

TEST(Random, UniformHasTheMomentsOfTheUniformDistribution) {
  Random random(3, Purpose::test, 0);
  const int n = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / n));
}

TEST(Random, NormalHasTheMomentsOfTheNormalDistribution) {
  Random random(4, Purpose::test, 0);
  const int n = 200000;
  std::array<double, 5> moment{};
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    for (int power = 1; power <= 4; ++power)
      moment[static_cast<std::size_t>(power)] += std::pow(x, power) / n;
  }
  EXPECT_NEAR(moment[1], 0, 5 * std::sqrt(1.0 / n));
  EXPECT_NEAR(moment[2], 1, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(moment[3], 0, 5 * std::sqrt(15.0 / n));
  EXPECT_NEAR(moment[4], 3, 5 * std::sqrt(96.0 / n));
}

TEST(Random, BelowIsUnbiasedAtSizesThatAreNoPowersOfTwo) {
  for (const std::uint64_t n : {2ULL, 3ULL, 7ULL, 100ULL}) {
    Random random(5, Purpose::test, n);
    const int draws = 100000;
    std::vector<int> counts(n);
    for (int i = 0; i < draws; ++i) ++counts.at(random.below(n));
    double chi2 = 0;
    const double expected = static_cast<double>(draws) / static_cast<double>(n);
    for (const int count : counts) chi2 += (count - expected) * (count - expected) / expected;
    const auto freedom = static_cast<double>(n - 1);
    EXPECT_LT(chi2, freedom + 6 * std::sqrt(2 * freedom)) << n;
  }
}

TEST(Random, BelowReachesBeyond32BitsAndNeverTheBound) {
  Random random(6, Purpose::test, 0);
  const std::uint64_t n = (1ULL << 40) + 1;
  std::uint64_t largest = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t draw = random.below(n);
    ASSERT_LT(draw, n);
    largest = std::max(largest, draw);
  }
  EXPECT_GT(largest, 1ULL << 39);
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(0), 0U);
}

TEST(Permutation, HoldsEveryIndexOnceAndEveryOrderIsEquallyLikely) {
  for (const std::int64_t n : {0, 1, 2, 1000}) {
    Random random(7, Purpose::test, static_cast<std::uint64_t>(n));
    std::vector<std::int64_t> order = permutation(n, random);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
    ASSERT_EQ(order.size(), static_cast<std::size_t>(n));
  }
  std::array<int, 27> counts{};
  const int draws = 60000;
  for (int i = 0; i < draws; ++i) {
    Random random(8, Purpose::test, static_cast<std::uint64_t>(i));
    const auto order = permutation(3, random);
    ++counts.at(static_cast<std::size_t>(9 * order[0] + 3 * order[1] + order[2]));
  }
  int orders = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++orders;
    EXPECT_NEAR(count, draws / 6, 6 * std::sqrt(draws / 6.0));
  }
  EXPECT_EQ(orders, 6);
}

}  // namespace
}  // namespace incipit
