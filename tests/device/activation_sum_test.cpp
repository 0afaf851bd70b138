#include "device/activation_sum.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

class ActivationSumOn : public OnEveryDevice {};

TEST_P(ActivationSumOn, AddsTheLatentsOfEachSet) {
  struct Case {
    std::int64_t n, keep, h, sets;
  };
  for (const Case& c :
       {Case{1, 1, 1, 1}, Case{7, 1, 1, 3}, Case{33, 3, 5, 1}, Case{300, 1, 17, 14}, Case{129, 32, 40, 5}}) {
    const TestCodes codes(c.n, c.keep, c.h, 21);
    const TestLists sets_of = random_lists(c.h, c.sets, 0.5, 22);
    std::vector<double> expected(c.sets * c.n, 0.0);
    for (std::int64_t i = 0; i < c.n; ++i)
      for (std::int64_t place = i * c.keep; place < (i + 1) * c.keep; ++place)
        for (const std::int32_t s : sets_of.of(codes.index[place]))
          if (codes.value[place] > 0) expected[s * c.n + i] += static_cast<double>(codes.value[place]);

    const auto index = on(*device_, codes.index), set = on(*device_, sets_of.item);
    const auto start = on(*device_, sets_of.start);
    const auto value = on(*device_, codes.value);
    Buffer<double> sum(*device_, expected.size());
    for (int run = 0; run < 2; ++run)  // nothing is left over from before
      device_->activation_sum({.n = c.n,
                               .keep = c.keep,
                               .h = c.h,
                               .sets = c.sets,
                               .index = index.data(),
                               .value = value.data(),
                               .start = start.data(),
                               .set = set.data(),
                               .sum = sum.data()});
    EXPECT_EQ(sum.download(), expected) << c.n;
  }
}

INCIPIT_ON_EVERY_DEVICE(ActivationSumOn);

}  // namespace
}  // namespace incipit::device
