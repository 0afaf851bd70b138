#include "sae/trainer.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "../device/every_device.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"
#include "random.hpp"
#include "reference.hpp"

namespace incipit::sae {
namespace {

using reference::Matrix;
using test::code_of;

struct Case {
  std::int64_t h, d, k, batch, dead;
};

/// A model, inputs and a batch made at random; `dead` latents have long been silent.
struct Problem {
  explicit Problem(const Case& c) : shape(c) {
    Random random(1, Purpose::test, 7);
    const auto draw = [&](std::int64_t height, std::int64_t width, double scale) {
      Matrix m(height, std::vector<double>(width));
      // Numbers that fp32 holds, so that both precisions start from the same.
      for (auto& row : m)
        for (double& value : row) value = static_cast<float>(scale * random.normal());
      return m;
    };
    model = {.h = c.h, .d = c.d, .k = c.k, .dead_after = 1000};
    inputs = draw(3 * c.batch, c.d, 1);
    model.encoder = draw(c.h, c.d, 1 / std::sqrt(static_cast<double>(c.d)));
    model.decoder = draw(c.h, c.d, 1);
    for (auto& row : model.decoder) {
      const double norm = std::sqrt(reference::square(row));
      for (double& value : row) value = static_cast<float>(value / norm);
    }
    model.encoder_bias = draw(1, c.h, 0.1)[0];
    model.pre_bias = draw(1, c.d, 0.2)[0];
    model.idle.assign(c.h, 0);
    for (const std::int64_t j : permutation(c.h, random)) {
      if (j % 2 == 0 && dead < c.dead) {
        model.idle[j] = 5000;
        // Dead latents lie low, most of the time.
        model.encoder_bias[j] = static_cast<float>(model.encoder_bias[j] - 0.3);
        ++dead;
      }
    }
    for (std::int64_t i = 0; i < c.batch; ++i)
      rows.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(3 * c.batch))));
  }

  [[nodiscard]] Matrix batch() const {
    Matrix picked;
    for (const std::int32_t row : rows) picked.push_back(inputs[row]);
    return picked;
  }

  template <class T>
  [[nodiscard]] Trainer<T> trainer(device::Device& device, std::size_t saes = 1) const {
    const auto to = [](const std::vector<double>& v) { return std::vector<T>(v.begin(), v.end()); };
    Parameters<T> parameters{.h = shape.h, .d = shape.d};
    parameters.encoder = to(reference::flat(model.encoder));
    parameters.decoder = to(reference::flat(model.decoder));
    parameters.encoder_bias = to(model.encoder_bias);
    parameters.pre_bias = to(model.pre_bias);
    const std::vector<T> u = to(reference::flat(inputs));
    const std::vector<Start<T>> starts(saes, {.parameters = parameters, .dead_after = model.dead_after});
    Trainer<T> made(device, starts, device::Buffer<T>(device, std::span<const T>(u)),
                    {.k = shape.k, .batch = shape.batch});
    std::vector<std::int64_t> idle;
    for (std::size_t i = 0; i < saes; ++i) idle.insert(idle.end(), model.idle.begin(), model.idle.end());
    made.set_idle(idle);
    return made;
  }

  Case shape;
  reference::Model model;
  Matrix inputs;
  std::vector<std::int32_t> rows;
  std::int64_t dead = 0;
};

template <class T>
Terms backward(Trainer<T>& trainer, const std::vector<std::int32_t>& rows) {
  trainer.load(rows);
  trainer.backward();
  return trainer.terms().front();
}

template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                  const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  double error = 0;
  for (std::size_t i = 0; i < actual.size(); ++i)
    error += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
  const double norm = std::sqrt(reference::square(expected));
  ASSERT_GT(norm, 0) << what;
  EXPECT_LE(std::sqrt(error) / norm, tolerance) << what;
}

template <class T>
void expect_equal(const Parameters<T>& actual, const Matrix& encoder, const std::vector<double>& encoder_bias,
                  const Matrix& decoder, const std::vector<double>& pre_bias, double tolerance) {
  expect_close(actual.encoder, reference::flat(encoder), tolerance, "encoder");
  expect_close(actual.encoder_bias, encoder_bias, tolerance, "encoder_bias");
  expect_close(actual.decoder, reference::flat(decoder), tolerance, "decoder");
  expect_close(actual.pre_bias, pre_bias, tolerance, "pre_bias");
}

void expect_terms(const Terms& actual, const reference::Pass& expected, double tolerance) {
  EXPECT_NEAR(actual.fvu, expected.fvu, tolerance * expected.fvu);
  EXPECT_NEAR(actual.fvu_multi, expected.fvu_multi, tolerance * expected.fvu_multi);
  EXPECT_NEAR(actual.auxk, expected.auxk, tolerance * expected.auxk);
  EXPECT_NEAR(actual.loss, expected.loss, tolerance * expected.loss);
}

class TrainerCase : public testing::TestWithParam<Case> {};

TEST_P(TrainerCase, ReferenceGradientsAreThoseOfItsLoss) {
  const Problem problem(GetParam());
  const Matrix batch = problem.batch();
  const reference::Pass at = reference::forward(problem.model, batch);
  const reference::Gradients g = reference::backward(problem.model, at);
  reference::Model moved = problem.model;
  Random random(2, Purpose::test, 8);
  const auto check = [&](double& parameter, double gradient, double scale) {
    constexpr double step = 1e-6;
    const double kept = parameter;
    parameter = kept + step;
    const double up = reference::forward(moved, batch, &at).loss;
    parameter = kept - step;
    const double down = reference::forward(moved, batch, &at).loss;
    parameter = kept;
    EXPECT_NEAR((up - down) / (2 * step), gradient, 1e-4 * scale + 1e-9);
  };
  const double rms = std::sqrt(reference::square(reference::flat(g.encoder)) /
                               static_cast<double>(problem.shape.h * problem.shape.d));
  for (int i = 0; i < 12; ++i) {
    const auto j = random.below(static_cast<std::uint64_t>(problem.shape.h));
    const auto c = random.below(static_cast<std::uint64_t>(problem.shape.d));
    check(moved.encoder[j][c], g.encoder[j][c], rms);
    check(moved.decoder[j][c], g.decoder[j][c], rms);
    check(moved.encoder_bias[j], g.encoder_bias[j], rms);
    check(moved.pre_bias[c], g.pre_bias[c], rms);
  }
}

TEST_P(TrainerCase, LossAndGradientsEqualTheReference) {
  const Problem problem(GetParam());
  const reference::Pass pass = reference::forward(problem.model, problem.batch());
  const reference::Gradients g = reference::backward(problem.model, pass);
  EXPECT_EQ(pass.aux, GetParam().dead > 0);
  const auto host = device::make_host_device(2);
  Trainer<double> exact = problem.trainer<double>(*host);
  expect_terms(backward(exact, problem.rows), pass, 1e-10);
  expect_equal(exact.gradients(0), g.encoder, g.encoder_bias, g.decoder, g.pre_bias, 1e-10);
  Trainer<float> single = problem.trainer<float>(*host);
  expect_terms(backward(single, problem.rows), pass, 1e-5);
  expect_equal(single.gradients(0), g.encoder, g.encoder_bias, g.decoder, g.pre_bias, 1e-5);
}

TEST_P(TrainerCase, TwentyStepsEqualTheReference) {
  Problem problem(GetParam());
  const auto host = device::make_host_device(1);
  Trainer<double> trainer = problem.trainer<double>(*host);
  reference::Optimizer optimizer;
  Random random(3, Purpose::test, 9);
  for (int step = 0; step < 20; ++step) {
    for (std::int32_t& row : problem.rows)
      row = static_cast<std::int32_t>(random.below(problem.inputs.size()));
    const reference::Pass pass = reference::forward(problem.model, problem.batch());
    expect_terms(backward(trainer, problem.rows), pass, 1e-10);
    const double rate = learning_rate(problem.shape.d, step, 100);
    trainer.update(rate);
    optimizer.step(problem.model, reference::backward(problem.model, pass), rate);
    reference::count_idle(problem.model, pass);
  }
  const reference::Model& m = problem.model;
  expect_equal(trainer.parameters(0), m.encoder, m.encoder_bias, m.decoder, m.pre_bias, 1e-10);
  EXPECT_EQ(trainer.dead().front(), std::count_if(m.idle.begin(), m.idle.end(), [&](std::int64_t samples) {
              return samples >= m.dead_after;
            }));
}

TEST_P(TrainerCase, SameBytesForAnyNumberOfThreads) {
  Problem problem(GetParam());
  const auto run = [&](int threads) {
    const auto host = device::make_host_device(threads);
    Trainer<float> trainer = problem.trainer<float>(*host);
    for (int step = 0; step < 5; ++step) {
      backward(trainer, problem.rows);
      trainer.update(0.001);
    }
    const Parameters<float> p = trainer.parameters(0);
    std::vector<float> all = p.encoder;
    for (const auto* part : {&p.encoder_bias, &p.decoder, &p.pre_bias})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  };
  const std::vector<float> one = run(1);
  for (const int threads : {2, 3}) {
    const std::vector<float> many = run(threads);
    EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)), 0) << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TrainerCase,
                         testing::Values(Case{.h = 40, .d = 48, .k = 1, .batch = 37, .dead = 6},
                                         Case{.h = 40, .d = 48, .k = 4, .batch = 37, .dead = 0},
                                         Case{.h = 40, .d = 48, .k = 32, .batch = 37, .dead = 10},
                                         Case{.h = 90, .d = 24, .k = 1, .batch = 140, .dead = 30},
                                         Case{.h = 90, .d = 24, .k = 4, .batch = 140, .dead = 5},
                                         Case{.h = 90, .d = 24, .k = 32, .batch = 19, .dead = 40}));

class TrainerOn : public device::OnEveryDevice {};

/// Two SAEs over one matrix of inputs, four steps: all loaded at once, or one after the other.
TEST_P(TrainerOn, StepsLoadedAtOnceAreTheSteps) {
  const Problem problem({.h = 21, .d = 10, .k = 2, .batch = 9, .dead = 6});
  constexpr std::int64_t steps = 4;
  Random random(5, Purpose::test, 5);
  std::vector<std::int32_t> rows(steps * 2 * problem.shape.batch);
  for (std::int32_t& row : rows) row = static_cast<std::int32_t>(random.below(problem.inputs.size()));
  const auto run = [&](std::int64_t at_once) {
    Trainer<float> trainer = problem.trainer<float>(*device_, 2);
    std::vector<double> losses;
    const std::int64_t size = at_once * 2 * problem.shape.batch;
    for (std::int64_t begin = 0; begin < std::ssize(rows); begin += size) {
      trainer.load(std::span(rows).subspan(begin, size));
      for (std::int64_t step = 0; step < at_once; ++step) {
        trainer.backward();
        trainer.update(0.001);
      }
      for (const Terms& terms : trainer.terms()) losses.push_back(terms.loss);
    }
    EXPECT_EQ(code_of([&] { trainer.backward(); }), Exit::defect);
    return std::pair(losses, trainer.parameters(1).decoder);
  };
  const auto one = run(1);
  EXPECT_EQ(one.first.size(), 2U * steps);
  EXPECT_NE(one.first[0], one.first[1]);
  EXPECT_EQ(run(2), one);
  EXPECT_EQ(run(4), one);
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainerOn, testing::ValuesIn(device::every_device()),
                         device::candidate_name);

TEST(Trainer, TakesWholeBatchesOfSoManySteps) {
  const Problem problem({.h = 5, .d = 3, .k = 1, .batch = 2, .dead = 0});
  const auto host = device::make_host_device(1);
  Trainer<float> trainer = problem.trainer<float>(*host, 2);
  EXPECT_EQ(code_of([&] { trainer.load(std::vector<std::int32_t>(6)); }), Exit::defect);
  EXPECT_EQ(code_of([&] { trainer.load(std::vector<std::int32_t>(4 * Trainer<float>::most_steps + 4)); }),
            Exit::defect);
  trainer.load(std::vector<std::int32_t>(4 * Trainer<float>::most_steps));
  EXPECT_TRUE(trainer.terms().empty());
}

TEST(LearningRate, WarmsUpAndDecays) {
  const double full = 0.03 / std::sqrt(64.0);
  EXPECT_DOUBLE_EQ(learning_rate(64, 0, 1000), full / 50);
  EXPECT_DOUBLE_EQ(learning_rate(64, 49, 1000), full);
  EXPECT_DOUBLE_EQ(learning_rate(64, 50, 1000), full);
  EXPECT_DOUBLE_EQ(learning_rate(64, 525, 1000), full / 2);
  EXPECT_DOUBLE_EQ(learning_rate(64, 999, 1000), full / 950);
  EXPECT_DOUBLE_EQ(learning_rate(64, 0, 1), full);
}

}  // namespace
}  // namespace incipit::sae
