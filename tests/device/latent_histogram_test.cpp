#include "device/latent_histogram.hpp"

#include "statistics_scene.hpp"

namespace incipit::device {
namespace {

class LatentHistogramOn : public OnEveryDevice {};

TEST_P(LatentHistogramOn, CountsFiringsBySubjectAndSilentProbes) {
  struct Case {
    std::int64_t n, keep, h, subjects;
  };
  for (const Case& c :
       {Case{1, 1, 1, 1}, Case{7, 1, 1, 3}, Case{33, 3, 5, 1}, Case{500, 1, 17, 14}, Case{129, 32, 40, 5}}) {
    const TestCodes codes(c.n, c.keep, c.h, 11);
    const auto subject = integers(c.n, c.subjects, 12);
    std::vector<std::int32_t> expected(c.h * c.subjects, 0);
    std::int32_t silent = 0;
    for (std::int64_t i = 0; i < c.n; ++i) {
      std::int32_t fired = 0;
      for (std::int64_t j = 0; j < c.h; ++j) {
        if (codes.activation(i, j) == 0) continue;
        ++expected[j * c.subjects + subject[i]];
        ++fired;
      }
      silent += fired == 0 ? 1 : 0;
    }
    const auto index = on(*device_, codes.index), subject_on = on(*device_, subject);
    const auto value = on(*device_, codes.value);
    Buffer<std::int32_t> count(*device_, expected.size()), silent_on(*device_, 1);
    for (int run = 0; run < 2; ++run)  // nothing is left over from before
      device_->latent_histogram({.n = c.n,
                                 .keep = c.keep,
                                 .h = c.h,
                                 .subjects = c.subjects,
                                 .index = index.data(),
                                 .value = value.data(),
                                 .subject = subject_on.data(),
                                 .count = count.data(),
                                 .silent = silent_on.data()});
    EXPECT_EQ(count.download(), expected) << c.n;
    EXPECT_EQ(silent_on.download()[0], silent) << c.n;
  }
}

TEST_P(LatentHistogramOn, ANegativeOrNaNValueDoesNotFire) {
  const auto index = on(*device_, std::vector<std::int32_t>{0, 1, 1, 0});
  const auto value =
      on(*device_, std::vector<float>{std::numeric_limits<float>::quiet_NaN(), -1.0F, 2.0F, 0.0F});
  const auto subject = on(*device_, std::vector<std::int32_t>{1, 1});
  Buffer<std::int32_t> count(*device_, 4), silent(*device_, 1);
  device_->latent_histogram({.n = 2,
                             .keep = 2,
                             .h = 2,
                             .subjects = 2,
                             .index = index.data(),
                             .value = value.data(),
                             .subject = subject.data(),
                             .count = count.data(),
                             .silent = silent.data()});
  EXPECT_EQ(count.download(), (std::vector<std::int32_t>{0, 0, 0, 1}));
  EXPECT_EQ(silent.download()[0], 1);
}

INCIPIT_ON_EVERY_DEVICE(LatentHistogramOn);

}  // namespace
}  // namespace incipit::device
