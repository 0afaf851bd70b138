#include "device/resample_auc.hpp"

#include <cmath>

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

struct ResampleAucShape {
  std::int64_t n, groups, subjects, sets, bootstrap, permutations;
  std::int64_t scores;  ///< different ones
};

/// Over all pairs, by the letter.
double area(const TestResamples& given, const std::int32_t* score, std::int32_t own, std::int64_t r) {
  double pairs = 0, won = 0;
  for (std::int64_t a = 0; a < given.n; ++a)
    for (std::int64_t b = 0; b < given.n; ++b) {
      if (given.subject_in(r, a) != own || given.subject_in(r, b) == own) continue;
      const double weight = given.weight_in(r, a) * given.weight_in(r, b);
      pairs += weight;
      won += weight * (score[a] > score[b] ? 1.0 : score[a] == score[b] ? 0.5 : 0.0);
    }
  return won / pairs;
}

class ResampleAucOn : public OnEveryDevice {};

TEST_P(ResampleAucOn, CountsPairsInEveryDraw) {
  for (const ResampleAucShape& c :
       {ResampleAucShape{1, 1, 1, 1, 1, 1, 1}, ResampleAucShape{2, 2, 2, 2, 3, 3, 2},
        ResampleAucShape{40, 7, 3, 3, 5, 9, 1000000}, ResampleAucShape{30, 30, 1, 2, 0, 3, 5},
        ResampleAucShape{25, 5, 4, 3, 140, 0, 7}, ResampleAucShape{60, 20, 2, 2, 3, 300, 30}}) {
    const TestResamples given(c.n, c.groups, c.subjects, c.bootstrap, c.permutations);
    const auto score = integers(c.sets * c.n, c.scores, 61);
    const auto own = own_subjects(c.sets, c.subjects);
    std::vector<std::int32_t> order, last;
    for (std::int64_t s = 0; s < c.sets; ++s) {
      std::vector<std::int32_t> ranked(static_cast<std::size_t>(c.n));
      std::iota(ranked.begin(), ranked.end(), 0);
      const std::int32_t* of = score.data() + s * c.n;
      std::sort(ranked.begin(), ranked.end(), [of](std::int32_t a, std::int32_t b) { return of[a] < of[b]; });
      for (std::int64_t at = 0; at < c.n; ++at)
        last.push_back(at + 1 == c.n || of[ranked[at]] != of[ranked[at + 1]] ? 1 : 0);
      order.insert(order.end(), ranked.begin(), ranked.end());
    }
    const ResamplesOn resamples(*device_, given);
    const auto own_on = on(*device_, own), order_on = on(*device_, order), last_on = on(*device_, last);
    ResampledOn<double> found_on(*device_, c.sets, given);
    device_->resample_auc({.of = resamples.view(),
                           .sets = c.sets,
                           .own = own_on.data(),
                           .order = order_on.data(),
                           .last = last_on.data(),
                           .area = found_on.view()});
    const auto found = found_on.all();
    std::size_t at = 0;
    for (std::int64_t s = 0; s < c.sets; ++s)
      for (std::int64_t r = -1; r < given.draws(); ++r, ++at) {
        const double expected = area(given, score.data() + s * c.n, own[s], r);
        if (std::isnan(expected))
          EXPECT_TRUE(std::isnan(found[at])) << found[at];
        else
          ASSERT_NEAR(found[at], expected, 1e-12) << "draw " << r << " of " << c.n;
      }
    ASSERT_EQ(at, found.size());
  }
}

INCIPIT_ON_EVERY_DEVICE(ResampleAucOn);

}  // namespace
}  // namespace incipit::device
