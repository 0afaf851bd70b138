// Losses, gradients and optimizer steps against PyTorch's autograd and Adam in fp64:
// tests/reference/sae_golden.py.

#include "../golden.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "../device/every_device.hpp"
#include "sae/trainer.hpp"

namespace incipit::sae {
namespace {

constexpr double in_fp64 = 1e-10;
constexpr double in_fp32 = 1e-5;

const test::Golden& golden() {
  static const test::Golden file("sae.h5");
  return file;
}

class SaeGolden : public testing::TestWithParam<const char*> {
 protected:
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& name) const {
    return golden().read<T>(GetParam() + ("/" + name));
  }
  [[nodiscard]] std::int64_t number(const char* name) const {
    return golden().attribute<std::int64_t>(GetParam(), name);
  }
  /// Row `index` of what is stored once per step.
  [[nodiscard]] std::vector<double> at(const std::string& name, std::int64_t index) const {
    const std::vector<double> all = read<double>(name);
    const auto size = static_cast<std::int64_t>(all.size()) / golden().shape(GetParam() + ("/" + name))[0];
    return {all.begin() + index * size, all.begin() + (index + 1) * size};
  }
  [[nodiscard]] std::vector<std::int32_t> batch(std::int64_t step) const {
    const std::vector<std::int32_t> all = read<std::int32_t>("batches");
    const std::int64_t size = number("batch");
    return {all.begin() + step * size, all.begin() + (step + 1) * size};
  }

  template <class T>
  [[nodiscard]] Trainer<T> trainer(device::Device& device) const {
    const Parameters<T> parameters{.h = number("h"),
                                   .d = number("d"),
                                   .encoder = read<T>("start/encoder"),
                                   .encoder_bias = read<T>("start/encoder_bias"),
                                   .decoder = read<T>("start/decoder"),
                                   .pre_bias = read<T>("start/pre_bias")};
    const std::vector<T> inputs = read<T>("inputs");
    const Start<T> start{.parameters = parameters, .dead_after = number("dead_after")};
    Trainer<T> made(device, {&start, 1}, device::Buffer<T>(device, std::span<const T>(inputs)),
                    {.k = number("k"), .batch = number("batch")});
    made.set_idle(read<std::int64_t>("idle"));
    return made;
  }

  template <class T>
  static Terms backward(Trainer<T>& trainer, const std::vector<std::int32_t>& rows) {
    trainer.load(rows);
    trainer.backward();
    return trainer.terms().front();
  }

  void expect_terms(const Terms& actual, std::int64_t step, double tolerance) const {
    const std::vector<double> expected = at("terms", step);
    const auto near = [&](double found, double right, const char* term) {
      EXPECT_LE(std::abs(found - right), tolerance * std::abs(right)) << term << " of step " << step;
    };
    near(actual.fvu, expected[0], "FVU");
    near(actual.fvu_multi, expected[1], "multi-k FVU");
    near(actual.auxk, expected[2], "AuxK");
    near(actual.loss, expected[3], "loss");
  }

  template <class T>
  void expect_arrays(const Parameters<T>& actual, const std::string& what, std::int64_t index,
                     double tolerance) const {
    const auto close = [&](const std::vector<T>& found, const std::string& array) {
      EXPECT_LE(test::relative_error(found, at(what + "/" + array, index)), tolerance)
          << what << " " << array << ", entry " << index;
    };
    close(actual.encoder, "encoder");
    close(actual.encoder_bias, "encoder_bias");
    close(actual.decoder, "decoder");
    close(actual.pre_bias, "pre_bias");
  }

  void take_twenty_steps_in_fp64(device::Device& device) {
    Trainer<double> trainer = SaeGolden::trainer<double>(device);
    const auto rate = read<double>("rate");
    const auto dead = read<std::int64_t>("dead");
    const auto of_steps = golden().attribute<std::int64_t>("/", "of_steps");
    ASSERT_EQ(rate.size(), 20U);
    for (std::int64_t step = 0; step < 20; ++step) {
      EXPECT_EQ(trainer.dead().front(), dead[static_cast<std::size_t>(step)]) << "step " << step;
      expect_terms(backward(trainer, batch(step)), step, in_fp64);
      if (step == 0) expect_arrays(trainer.gradients(0), "gradients", 0, in_fp64);
      if (step == 19) expect_arrays(trainer.gradients(0), "gradients", 1, in_fp64);
      const double expected_rate = rate[static_cast<std::size_t>(step)];
      EXPECT_DOUBLE_EQ(learning_rate(number("d"), step, of_steps), expected_rate);
      trainer.update(expected_rate);
      expect_arrays(trainer.parameters(0), "parameters", step, in_fp64);
    }
  }
};

TEST_P(SaeGolden, TwentyStepsInFp64) {
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    take_twenty_steps_in_fp64(*candidate.make());
  }
}

TEST_P(SaeGolden, LossAndGradientsInFp32) {
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    const auto device = candidate.make();
    Trainer<float> trainer = SaeGolden::trainer<float>(*device);
    expect_terms(backward(trainer, batch(0)), 0, in_fp32);
    expect_arrays(trainer.gradients(0), "gradients", 0, in_fp32);
  }
}

// k of 1, 4 and 32; "narrow": fewer latents than dimensions, "wide": more.
constexpr const char* cases[] = {"k1_narrow",  "k1_wide",  "k4_narrow", "k4_wide",
                                 "k32_narrow", "k32_wide", "k4_alive"};

TEST(SaeGoldenFile, HoldsTheCasesThatAreRun) {
  std::vector<std::string> expected(std::begin(cases), std::end(cases));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(golden().cases(), expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, SaeGolden, testing::ValuesIn(cases),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace incipit::sae
