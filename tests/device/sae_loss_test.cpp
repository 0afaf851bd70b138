#include "device/sae_loss.hpp"

#include <limits>

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeLossOn : public OnEveryDevice {};

std::vector<double> run(Device& device, const std::vector<double>& square, const std::vector<double>& multi,
                        const std::vector<double>& auxiliary, std::int64_t problems = 1) {
  const Buffer<double> square_on = on(device, square);
  const Buffer<double> multi_on = on(device, multi);
  const Buffer<double> auxiliary_on = on(device, auxiliary);
  Buffer<double> terms(device, static_cast<std::size_t>(4 * problems));
  device.sae_loss({.problems = problems,
                   .n = std::ssize(square) / problems,
                   .d = 4,
                   .square = square_on.data(),
                   .square_multi = multi_on.data(),
                   .square_auxiliary = auxiliary.empty() ? nullptr : auxiliary_on.data(),
                   .terms = terms.data()});
  return terms.download();
}

TEST_P(SaeLossOn, AddsTheThreeTerms) {
  EXPECT_EQ(run(*device_, {6, 2}, {1, 3}, {2, 4}),
            (std::vector<double>{1, 0.5, 0.75, 1 + 0.5 / 8 + 0.75 / 32}));
  EXPECT_EQ(run(*device_, {6, 2}, {1, 3}, {}), (std::vector<double>{1, 0.5, 0, 1 + 0.5 / 8}));
}

TEST_P(SaeLossOn, ProblemsTogetherAreEachAsIfAlone) {
  for (const std::int64_t problems : problem_counts) {
    for (const std::int64_t n : {1, 5, 2000}) {
      const auto squares = [&](std::uint64_t stream) {
        std::vector<double> values = normals_of<double>(problems * n, stream);
        for (double& value : values) value *= value;
        return values;
      };
      const std::vector<double> square = squares(1), multi = squares(2), auxiliary = squares(3);
      for (const std::vector<double>& third : {auxiliary, std::vector<double>()}) {
        const std::vector<double> all = run(*device_, square, multi, third, problems);
        for (std::int64_t p = 0; p < problems; ++p)
          EXPECT_EQ(part(all, problems, p), run(*device_, part(square, problems, p), part(multi, problems, p),
                                                part(third, problems, p)));
      }
    }
  }
}

TEST_P(SaeLossOn, APerfectReconstructionDoesNotDivideByZero) {
  const std::vector<double> terms = run(*device_, {0, 0}, {0, 0}, {8e-6, 0});
  EXPECT_DOUBLE_EQ(terms[2], 1);
}

TEST_P(SaeLossOn, NanComesThrough) {
  EXPECT_TRUE(std::isnan(run(*device_, {std::numeric_limits<double>::quiet_NaN(), 1}, {1, 1}, {})[3]));
}

INCIPIT_ON_EVERY_DEVICE(SaeLossOn);

}  // namespace
}  // namespace incipit::device
