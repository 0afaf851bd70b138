#include "device/resample_counts.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

struct ResampleCountsShape {
  std::int64_t n, groups, subjects, sets, bootstrap, permutations;
};

/// Sums of activations, 0 on most probes.
std::vector<double> random_sums(std::int64_t count) {
  Random random(6, Purpose::test, static_cast<std::uint64_t>(count));
  std::vector<double> sum(static_cast<std::size_t>(count));
  for (double& a : sum) a = std::max(0.0, random.normal() - 0.3);
  return sum;
}

class ResampleCountsOn : public OnEveryDevice {};

TEST_P(ResampleCountsOn, CountsProbesAndAddsActivationsInEveryDraw) {
  for (const ResampleCountsShape& c :
       {ResampleCountsShape{1, 1, 1, 1, 1, 1}, ResampleCountsShape{40, 7, 3, 3, 5, 9},
        ResampleCountsShape{30, 30, 1, 2, 0, 3}, ResampleCountsShape{25, 5, 40, 33, 3, 0},
        ResampleCountsShape{300, 60, 17, 4, 130, 300}}) {
    const TestResamples given(c.n, c.groups, c.subjects, c.bootstrap, c.permutations);
    const auto sum = random_sums(c.sets * c.n);
    const auto own = own_subjects(c.sets, c.subjects);
    std::vector<std::int32_t> fired;
    std::vector<double> strength;
    for (std::int64_t s = 0; s < c.sets; ++s) {
      for (std::int64_t subject = 0; subject < c.subjects; ++subject)
        for (std::int64_t r = -1; r < given.draws(); ++r) {
          std::int32_t count = 0;
          double total = 0;
          for (std::int64_t i = 0; i < c.n; ++i) {
            if (sum[s * c.n + i] <= 0 || given.subject_in(r, i) != subject) continue;
            count += given.weight_in(r, i);
            total += given.weight_in(r, i) * sum[s * c.n + i];
          }
          fired.push_back(count);
          if (subject == own[s]) strength.push_back(total);
        }
    }
    const ResamplesOn resamples(*device_, given);
    const auto sum_on = on(*device_, sum);
    const auto own_on = on(*device_, own);
    ResampledOn<std::int32_t> fired_on(*device_, c.sets * c.subjects, given);
    ResampledOn<double> strength_on(*device_, c.sets, given);
    device_->resample_counts({.of = resamples.view(),
                              .sets = c.sets,
                              .own = own_on.data(),
                              .sum = sum_on.data(),
                              .fired = fired_on.view(),
                              .strength = strength_on.view()});
    EXPECT_EQ(fired_on.all(), fired) << c.n;
    const auto found = strength_on.all();
    ASSERT_EQ(found.size(), strength.size());
    for (std::size_t at = 0; at < found.size(); ++at)
      ASSERT_NEAR(found[at], strength[at], 1e-13 * strength[at]) << at << " of " << c.n;
  }
}

INCIPIT_ON_EVERY_DEVICE(ResampleCountsOn);

}  // namespace
}  // namespace incipit::device
