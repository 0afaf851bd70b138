#include "device/rank_scores.hpp"

#include <cmath>
#include <limits>

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

class RankScoresOn : public OnEveryDevice {
 protected:
  template <class T>
  void expect_ranks(std::int64_t n, std::int64_t sets, const std::vector<T>& score) {
    const auto score_on = on(*device_, score);
    Buffer<std::int32_t> order(*device_, score.size()), last(*device_, score.size());
    device_->rank_scores(RankScores<T>{
        .n = n, .sets = sets, .score = score_on.data(), .order = order.data(), .last = last.data()});
    const auto found = order.download(), ends = last.download();
    for (std::int64_t s = 0; s < sets; ++s) {
      const T* of = score.data() + s * n;
      std::vector<std::int32_t> expected(static_cast<std::size_t>(n));
      std::iota(expected.begin(), expected.end(), 0);
      std::stable_sort(expected.begin(), expected.end(),
                       [of](std::int32_t a, std::int32_t b) { return of[a] < of[b]; });
      for (std::int64_t at = 0; at < n; ++at) {
        ASSERT_EQ(found[s * n + at], expected[at]) << "place " << at << " of " << n;
        const bool ends_here = at + 1 == n || of[expected[at]] != of[expected[at + 1]];
        ASSERT_EQ(ends[s * n + at], ends_here ? 1 : 0) << "place " << at << " of " << n;
      }
    }
  }

  /// Some exact, some in steps of a tenth, so that many are equal.
  template <class T>
  void expect_random_ranks(std::int64_t n, std::int64_t sets) {
    Random random(5, Purpose::test, static_cast<std::uint64_t>(n));
    std::vector<T> score;
    for (std::int64_t i = 0; i < n * sets; ++i) {
      const double x = random.normal();
      score.push_back(static_cast<T>(i % 3 == 0 ? x : std::round(10 * x) / 10));
    }
    expect_ranks(n, sets, score);
  }
};

TEST_P(RankScoresOn, SortsStably) {
  for (const std::int64_t n : {1, 2, 31, 300, 3000}) {
    expect_random_ranks<float>(n, 2);
    expect_random_ranks<double>(n, 3);
  }
}

TEST_P(RankScoresOn, KnowsSignsZerosInfinitiesAndTheLastBit) {
  constexpr float most = std::numeric_limits<float>::infinity();
  expect_ranks<float>(9, 1, {0.0F, -0.0F, most, -1.0F, 1e-40F, 0.0F, -most, -1e-40F, most});
  expect_ranks<double>(6, 1, {1.0, 1.0 + 1e-15, -0.0, 0.0, -1.0 - 1e-15, -1.0});
}

INCIPIT_ON_EVERY_DEVICE(RankScoresOn);

}  // namespace
}  // namespace incipit::device
