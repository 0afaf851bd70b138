#include "device/resample_latents.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

struct ResampleLatentsShape {
  std::int64_t groups, subjects, h, sets, bootstrap, permutations;
};

class ResampleLatentsOn : public OnEveryDevice {};

TEST_P(ResampleLatentsOn, AddsTheChancesOfTheGroupsThatFire) {
  for (const ResampleLatentsShape& c :
       {ResampleLatentsShape{1, 1, 1, 1, 1, 1}, ResampleLatentsShape{40, 3, 9, 3, 5, 9},
        ResampleLatentsShape{30, 1, 4, 2, 0, 3}, ResampleLatentsShape{25, 14, 20, 5, 130, 0},
        ResampleLatentsShape{60, 4, 300, 4, 3, 200}}) {
    const TestResamples given(1, c.groups, c.subjects, c.bootstrap, c.permutations);
    TestLists firing = random_lists(c.h, c.groups, 0.3, 51);
    const TestLists sets = random_lists(c.sets, c.h, 0.4, 52);
    // Some groups fire a latent several times.
    TestLists repeated;
    std::vector<std::int32_t> group_start{0};
    for (std::int64_t j = 0; j < c.h; ++j) {
      for (const std::int32_t g : firing.of(j))
        for (std::int32_t times = 0; times <= g % 3; ++times) repeated.item.push_back(g);
      group_start.push_back(static_cast<std::int32_t>(repeated.item.size()));
    }
    const auto own = own_subjects(c.sets, c.subjects);
    const std::int64_t chances = 3 * c.groups + 1;
    std::vector<double> chance;
    for (const float x : normals(static_cast<std::size_t>(c.subjects * chances), 53))
      chance.push_back(static_cast<double>(x));
    std::vector<double> expected;
    for (std::int64_t s = 0; s < c.sets; ++s)
      for (std::int64_t r = -1; r < given.draws(); ++r) {
        double total = 0;
        for (const std::int32_t j : sets.of(s)) {
          std::int64_t fired = 0;
          for (const std::int32_t g : firing.of(j))
            if (given.group_subject_in(r, g) == own[s]) fired += given.group_weight_in(r, g);
          total += chance[own[s] * chances + fired];
        }
        expected.push_back(total);
      }
    const ResamplesOn resamples(*device_, given);
    const auto own_on = on(*device_, own), latent = on(*device_, sets.item),
               start_of_groups = on(*device_, group_start), list = on(*device_, repeated.item);
    const auto start = on(*device_, sets.start);
    const auto chance_on = on(*device_, chance);
    ResampledOn<double> total(*device_, c.sets, given);
    device_->resample_latents({.of = resamples.view(),
                               .sets = c.sets,
                               .chances = chances,
                               .own = own_on.data(),
                               .start = start.data(),
                               .latent = latent.data(),
                               .group_start = start_of_groups.data(),
                               .group_list = list.data(),
                               .chance = chance_on.data(),
                               .total = total.view()});
    EXPECT_EQ(total.all(), expected) << c.groups;  // additions in one order
  }
}

INCIPIT_ON_EVERY_DEVICE(ResampleLatentsOn);

}  // namespace
}  // namespace incipit::device
