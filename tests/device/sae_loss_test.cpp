#include "device/sae_loss.hpp"

#include <limits>

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeLossOn : public OnEveryDevice {};

std::vector<double> run(Device& device, const std::vector<double>& square, const std::vector<double>& multi,
                        const std::vector<double>& auxiliary) {
  const Buffer<double> square_on = on(device, square);
  const Buffer<double> multi_on = on(device, multi);
  const Buffer<double> auxiliary_on = on(device, auxiliary);
  Buffer<double> terms(device, 4);
  device.sae_loss({.n = static_cast<std::int64_t>(square.size()),
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
