#include "parallel/work.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "random.hpp"

namespace incipit::parallel {
namespace {

TEST(BlockOf, CoversEverythingOnceInBlocksThatDifferByAtMostOne) {
  for (const std::int64_t n :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, std::int64_t{64}, std::int64_t{1} << 40}) {
    for (const int parts : {1, 2, 3, 7, 16, 100}) {
      std::int64_t next = 0;
      for (int part = 0; part < parts; ++part) {
        const BlockRange block = block_of(n, parts, part);
        EXPECT_EQ(block.begin, next);
        EXPECT_GE(block.size(), n / parts);
        EXPECT_LE(block.size(), n / parts + 1);
        next = block.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

std::vector<double> loads(const std::vector<double>& costs, const std::vector<int>& bin_of, int bins) {
  std::vector<double> load(static_cast<std::size_t>(bins), 0.0);
  for (std::size_t job = 0; job < costs.size(); ++job)
    load.at(static_cast<std::size_t>(bin_of[job])) += costs[job];
  return load;
}

TEST(AssignLongestFirst, KeepsGrahamsBound) {
  Random random(1, Purpose::test, 0);
  for (const int bins : {1, 2, 3, 7}) {
    std::vector<double> costs(41);
    for (double& cost : costs) cost = random.uniform();
    const auto load = loads(costs, assign_longest_first(costs, bins), bins);
    const double ideal = std::accumulate(costs.begin(), costs.end(), 0.0) / bins;
    const double lower = std::max(ideal, *std::max_element(costs.begin(), costs.end()));
    EXPECT_LE(*std::max_element(load.begin(), load.end()), lower * (4.0 / 3 - 1.0 / (3 * bins)) + 1e-12);
  }
}

TEST(AssignLongestFirst, BreaksTiesByIndex) {
  const std::vector<double> costs(6, 1.0);
  EXPECT_EQ(assign_longest_first(costs, 3), (std::vector<int>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(assign_longest_first(std::vector<double>{1, 3, 2}, 2), (std::vector<int>{1, 0, 1}));
  EXPECT_TRUE(assign_longest_first(std::vector<double>{}, 4).empty());
}

}  // namespace
}  // namespace incipit::parallel
