#include "sae/train.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "../device/every_device.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"
#include "random.hpp"
#include "sae/encode.hpp"

namespace incipit::sae {
namespace {

using test::code_of;

/// Probes around `clusters` centres, as residuals lie: an offset, a scale, some noise.
std::vector<float> clustered(std::int64_t n, std::int64_t d, std::int64_t clusters, std::uint64_t stream) {
  Random centre_random(1, Purpose::test, 100);
  std::vector<double> centres(clusters * d);
  for (double& value : centres) value = centre_random.normal();
  Random random(1, Purpose::test, stream);
  std::vector<float> rows(n * d);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto from = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(clusters)));
    for (std::int64_t c = 0; c < d; ++c)
      rows[i * d + c] = static_cast<float>(5 + 2 * (centres[from * d + c] + 0.3 * random.normal()));
  }
  return rows;
}

constexpr std::int64_t d = 32;
const SaeOptions small{.latents = 24, .k = 1, .steps = 400, .batch = 64};

TEST(Train, FindsTheClusters) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(600, d, 20, 1);
  const std::vector<float> verify = clustered(300, d, 20, 2);
  const Sae sae = train(*host, fit, verify, d, small, 1);

  const History& history = sae.history;
  ASSERT_EQ(history.step.size(), 100U);
  EXPECT_EQ(history.step.back(), 400);
  for (const auto* series : {&history.loss, &history.fvu, &history.fvu_multi, &history.auxk, &history.dead})
    ASSERT_EQ(series->size(), history.step.size());
  EXPECT_LT(history.loss.back(), history.loss.front());
  EXPECT_LT(history.fvu_multi.back(), history.fvu.back());
  for (std::size_t i = 0; i < history.step.size(); ++i)
    EXPECT_NEAR(history.loss[i], history.fvu[i] + history.fvu_multi[i] / 8 + history.auxk[i] / 32, 1e-12);

  // The noise is 0.09/1.09 of the variance; a latent holds one direction, so a little more stays.
  EXPECT_LT(sae.verify_fvu, 0.2);
  EXPECT_LT(history.dead.back(), 0.25);
  EXPECT_FALSE(sae.unconverged);
  for (std::int64_t j = 0; j < sae.h; ++j) {
    double norm = 0;
    for (std::int64_t c = 0; c < d; ++c) norm += std::pow(static_cast<double>(sae.decoder[j * d + c]), 2);
    EXPECT_NEAR(norm, 1, 1e-5);
  }
}

TEST(Train, SameBytesForAnyNumberOfThreads) {
  const std::vector<float> fit = clustered(600, d, 20, 1);
  const auto run = [&](int threads) {
    return train(*device::make_host_device(threads), fit, {}, d, small, 7);
  };
  const Sae one = run(1);
  const Sae two = run(2);
  EXPECT_EQ(one.encoder, two.encoder);
  EXPECT_EQ(one.encoder_bias, two.encoder_bias);
  EXPECT_EQ(one.decoder, two.decoder);
  EXPECT_EQ(one.pre_bias, two.pre_bias);
  EXPECT_EQ(one.history.loss, two.history.loss);
  EXPECT_EQ(one.verify_fvu, two.verify_fvu);
}

TEST(Train, TheSeedMatters) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(600, d, 20, 1);
  EXPECT_NE(train(*host, fit, {}, d, small, 1).decoder, train(*host, fit, {}, d, small, 2).decoder);
}

TEST(Train, DeadLatentsAreFewerFromData) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(2000, d, 60, 1);
  SaeOptions options{.latents = 64, .k = 1, .steps = 300, .batch = 128, .dead_after = 2000};
  const double from_data = train(*host, fit, {}, d, options, 1).history.dead.back();
  options.init = "random";
  const double from_random = train(*host, fit, {}, d, options, 1).history.dead.back();
  EXPECT_LT(from_data, 0.2);
  EXPECT_LT(from_data, from_random);
}

TEST(Train, SmallPartsAndExtremeShapes) {
  const auto host = device::make_host_device(1);
  // A batch larger than the fit part, more latents than probes, k = h.
  const std::vector<float> few = clustered(5, d, 3, 1);
  const Sae more = train(*host, few, few, d, {.latents = 16, .k = 2, .steps = 10, .batch = 256}, 1);
  EXPECT_EQ(more.history.step.size(), 10U);
  EXPECT_NO_THROW(train(*host, few, {}, d, {.latents = 3, .k = 3, .steps = 1, .batch = 2}, 1));
  EXPECT_NO_THROW(train(*host, clustered(9, 1, 3, 1), {}, 1,
                        {.latents = 1, .k = 1, .steps = 3, .batch = 2, .dead_after = 1}, 1));
}

void expect_same(const Sae& a, const Sae& b) {
  EXPECT_EQ(a.encoder, b.encoder);
  EXPECT_EQ(a.encoder_bias, b.encoder_bias);
  EXPECT_EQ(a.decoder, b.decoder);
  EXPECT_EQ(a.pre_bias, b.pre_bias);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.history.step, b.history.step);
  EXPECT_EQ(a.history.loss, b.history.loss);
  EXPECT_EQ(a.history.fvu, b.history.fvu);
  EXPECT_EQ(a.history.fvu_multi, b.history.fvu_multi);
  EXPECT_EQ(a.history.auxk, b.history.auxk);
  EXPECT_EQ(a.history.dead, b.history.dead);
  EXPECT_EQ(a.verify_fvu, b.verify_fvu);
  EXPECT_EQ(a.unconverged, b.unconverged);
  EXPECT_EQ(a.seed, b.seed);
}

class TrainManyOn : public device::OnEveryDevice {};

/// Fit parts of several sizes, shared and not; latents die in some of them.
TEST_P(TrainManyOn, EachIsTrainedAsIfAlone) {
  const std::vector<float> few = clustered(40, d, 3, 1);
  const std::vector<float> more = clustered(90, d, 12, 2);
  const std::vector<float> verify = clustered(30, d, 12, 3);
  const std::vector<Job> jobs = {{.fit = few, .verify = verify, .seed = 1},
                                 {.fit = few, .verify = verify, .seed = 2},
                                 {.fit = more, .verify = {}, .seed = 1},
                                 {.fit = more, .verify = verify, .seed = 9},
                                 {.fit = few, .verify = {}, .seed = 3}};
  SaeOptions options{.latents = 21, .k = 2, .steps = 12, .batch = 19, .init = "random"};
  for (const std::int64_t dead_after : {0, 1'000'000}) {
    options.dead_after = dead_after;
    std::vector<Sae> alone;
    for (const Job& job : jobs) alone.push_back(train(*device_, job.fit, job.verify, d, options, job.seed));
    for (const std::size_t count : {1, 2, 5}) {
      const std::vector<Sae> together = train_many(*device_, std::span(jobs).first(count), d, options);
      ASSERT_EQ(together.size(), count);
      for (std::size_t i = 0; i < count; ++i) expect_same(together[i], alone[i]);
    }
    const auto ever_dead = [](const Sae& sae) { return *std::ranges::max_element(sae.history.auxk) > 0; };
    EXPECT_EQ(std::ranges::any_of(alone, ever_dead), dead_after == 0);
  }
}

/// Trains jobs in one set, leaves them behind each of `places` steps, goes on in sets of other sizes.
void expect_it_goes_on(device::Device& device, const SaeOptions& options,
                       const std::vector<std::int64_t>& places) {
  const std::vector<float> few = clustered(40, d, 3, 1), more = clustered(90, d, 12, 2);
  const std::vector<Job> jobs = {{.fit = few, .verify = more, .seed = 1},
                                 {.fit = more, .verify = {}, .seed = 2},
                                 {.fit = more, .verify = few, .seed = 3}};
  const auto whole = train_many(device, jobs, d, options);
  EXPECT_GT(whole[0].history.dead.back(), 0);
  for (const std::int64_t left : places) {
    std::vector<State> states(jobs.size());
    std::int64_t done = 0;
    const TrainHooks hooks{.progress = [&](std::int64_t step) { done = step; },
                           .stop = [&] { return done == left; },
                           .keep = [&](std::size_t job, const State& state) { states[job] = state; }};
    EXPECT_TRUE(train_many(device, jobs, d, options, hooks).empty());
    auto on = jobs;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_EQ(states[i].steps, left);
      on[i].from = &states[i];
    }
    const auto pair = train_many(device, std::span(on).first(2), d, options);
    const auto single = train_many(device, std::span(on).subspan(2), d, options);
    expect_same(pair.at(0), whole[0]);
    expect_same(pair.at(1), whole[1]);
    expect_same(single.at(0), whole[2]);
  }
}

TEST_P(TrainManyOn, GoesOnWhereItWasLeft) {
  const SaeOptions options{.latents = 9, .k = 2, .steps = 12, .batch = 6, .init = "random", .dead_after = 18};
  expect_it_goes_on(*device_, options, {5, 11});
}

/// Within a round, at a point of the history, before and behind the last tenth, at the end.
TEST(TrainMany, GoesOnFromEveryKindOfPlace) {
  const SaeOptions options{.latents = 21, .k = 2, .steps = 150, .batch = 19, .init = "random"};
  expect_it_goes_on(*device::make_host_device(1), options, {1, 2, 31, 33, 134, 135, 136, 149});
}

INSTANTIATE_TEST_SUITE_P(Devices, TrainManyOn, testing::ValuesIn(device::every_device()),
                         device::candidate_name);

TEST(TrainMany, SaysWhichOneIsWrong) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(50, d, 3, 1);
  const std::vector<float> flat(50 * d, 2.0F);
  const std::vector<Job> jobs = {{.fit = fit, .name = "the first"}, {.fit = flat, .name = "the second"}};
  try {
    train_many(*host, jobs, d, small);
    FAIL() << "a fit part without variance was trained on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_EQ(std::string(error.what()).find("the second: "), 0U) << error.what();
  }
  const std::vector<Job> shapes = {{.fit = fit}, {.fit = std::span(fit).first(20 * d)}};
  EXPECT_EQ(code_of([&] { train_many(*host, shapes, d, small); }), Exit::defect);
  EXPECT_TRUE(train_many(*host, {}, d, small).empty());
}

/// The history's first points come from rounds of steps; a divergence must be found in whatever round it
/// lies.
TEST(TrainMany, ADivergenceIsNamedAmongOthers) {
  const auto host = device::make_host_device(1);
  const std::vector<float> good = clustered(4000, d, 5, 1);
  std::vector<float> bad = clustered(4000, d, 1, 1);
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t c = 0; c < d; ++c) bad[i * d + c] = static_cast<float>(c % 2 == i % 2 ? 1e6 : -1e6);
  const SaeOptions options{.latents = 2, .k = 1, .steps = 4000, .batch = 2, .init = "random"};
  const auto message = [&](std::span<const Job> jobs) {
    try {
      train_many(*host, jobs, d, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::numbers);
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const std::vector<Job> jobs = {{.fit = good, .name = "good"}, {.fit = bad, .name = "bad"}};
  const std::string alone = message({&jobs[1], 1});
  EXPECT_EQ(alone.find("bad: the SAE diverged at step "), 0U) << alone;
  EXPECT_EQ(message(jobs), alone);
}

TEST(TrainMany, StopsAmongSteps) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(50, d, 3, 1);
  const std::vector<Job> jobs = {{.fit = fit, .name = "a"}, {.fit = fit, .seed = 2, .name = "b"}};
  std::int64_t done = 0;
  const TrainHooks hooks{.progress = [&](std::int64_t step) { done = step; },
                         .stop = [&] { return done == 7; }};
  EXPECT_TRUE(train_many(*host, jobs, d, small, hooks).empty());
  EXPECT_EQ(done, 7);
}

TEST(TrainMany, KeepsWhatIsDue) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(50, d, 3, 1);
  const Job job{.fit = fit};
  std::vector<std::int64_t> kept;
  const TrainHooks hooks{.due = [] { return true; },
                         .keep = [&](std::size_t, const State& state) { kept.push_back(state.steps); }};
  const auto whole = train_many(*host, {&job, 1}, d, small, hooks);
  EXPECT_GT(kept.size(), 10U);
  EXPECT_EQ(kept.back(), small.steps);
  expect_same(whole.at(0), train(*host, fit, {}, d, small, job.seed));
}

TEST(TrainMany, RefusesAStateOfAnother) {
  const auto host = device::make_host_device(1);
  const std::vector<float> fit = clustered(50, d, 3, 1);
  State state{.steps = 3, .parameters = {.h = small.latents + 1, .d = d}};
  const std::vector<Job> jobs = {{.fit = fit, .from = &state}, {.fit = fit}};
  EXPECT_EQ(code_of([&] { train_many(*host, std::span(jobs).first(1), d, small); }), Exit::defect);
  state.parameters.h = small.latents;
  EXPECT_EQ(code_of([&] { train_many(*host, jobs, d, small); }), Exit::defect);  // unequal steps
}

TEST(Train, SaysWhatIsWrong) {
  const auto host = device::make_host_device(1);
  std::vector<float> fit = clustered(50, d, 3, 1);
  EXPECT_EQ(code_of([&] { train(*host, fit, {}, d, {.latents = 4, .k = 5}, 1); }), Exit::usage);
  EXPECT_EQ(code_of([&] { train(*host, std::span(fit).first(d), {}, d, small, 1); }), Exit::data);
  EXPECT_EQ(code_of([&] { train(*host, std::vector<float>(50 * d, 2.0F), {}, d, small, 1); }), Exit::data);
  EXPECT_EQ(code_of([&] { train(*host, fit, {}, d, small, 1, {.stop = [] { return true; }}); }), Exit::again);
  // One probe so far out that its batches blow up beside the others.
  std::vector<float> verify = fit;
  verify[3] = INFINITY;
  EXPECT_EQ(code_of([&] { train(*host, fit, verify, d, small, 1); }), Exit::numbers);
  fit[3] = NAN;
  EXPECT_EQ(code_of([&] { train(*host, fit, {}, d, small, 1); }), Exit::numbers);
}

TEST(Train, DivergenceIsNamedWithItsStep) {
  // Normalised over many equal probes, a few huge ones exceed FVU 10 in the batch they fall into.
  const auto host = device::make_host_device(1);
  std::vector<float> fit = clustered(4000, d, 1, 1);
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t c = 0; c < d; ++c) fit[i * d + c] = static_cast<float>(c % 2 == i % 2 ? 1e6 : -1e6);
  const SaeOptions options{.latents = 2, .k = 1, .steps = 4000, .batch = 2, .init = "random"};
  try {
    train(*host, fit, {}, d, options, 1);
    FAIL() << "did not diverge";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::numbers);
    EXPECT_NE(std::string(error.what()).find("at step "), std::string::npos) << error.what();
  }
}

/// Eight latents that are much alike add up to far too much at the start, and learn to share.
TEST(Train, AStartThatOvershootsIsNoDivergence) {
  const auto host = device::make_host_device(1);
  const Sae sae = train(*host, clustered(2000, d, 3, 1), clustered(200, d, 3, 2), d,
                        {.latents = 64, .k = 8, .steps = 3000, .batch = 64}, 1);
  EXPECT_GT(sae.history.fvu.front(), 10);
  EXPECT_LT(sae.verify_fvu, 1);
}

TEST(Train, ReportsProgress) {
  const auto host = device::make_host_device(1);
  std::vector<std::int64_t> steps;
  train(*host, clustered(50, d, 3, 1), {}, d, {.latents = 4, .steps = 5}, 1,
        {.progress = [&](std::int64_t done) { steps.push_back(done); }});
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

Sae random_sae(std::int64_t h, std::int64_t k) {
  Random random(4, Purpose::test, 4);
  Sae sae{.h = h, .d = d, .k = k};
  const auto draw = [&](std::int64_t n) {
    std::vector<float> values(n);
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
  };
  sae.encoder = draw(h * d);
  sae.decoder = draw(h * d);
  sae.encoder_bias = draw(h);
  sae.pre_bias = draw(d);
  for (float& bias : sae.encoder_bias) bias -= 9;
  return sae;
}

/// z of every latent, [n, h].
std::vector<float> all_z(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n) {
  std::vector<float> z(n * sae.h);
  encode_on_device(device, sae, u, n, [&](std::int64_t begin, std::int64_t rows, const float* block) {
    device.download(z.data() + begin * sae.h, block, rows * sae.h * sizeof(float));
  });
  return z;
}

TEST(Encode, EqualsTheDefinition) {
  const auto host = device::make_host_device(2);
  for (const auto& [n, h, k] :
       {std::array<std::int64_t, 3>{1, 5, 1}, {1500, 40, 1}, {70, 40, 3}, {70, 40, 40}}) {
    const Sae sae = random_sae(h, k);
    const std::vector<float> u = clustered(n, d, 4, 3);
    const std::vector<float> z = all_z(*host, sae, u, n);
    const Codes codes = encode(*host, sae, u, n);
    ASSERT_EQ(codes.n, n);
    ASSERT_EQ(codes.k, k);
    double square = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      std::vector<double> left(d);
      for (std::int64_t c = 0; c < d; ++c)
        left[c] = static_cast<double>(u[i * d + c]) - static_cast<double>(sae.pre_bias[c]);
      std::vector<std::pair<double, std::int32_t>> order;
      for (std::int64_t j = 0; j < h; ++j) {
        double expected = sae.encoder_bias[j];
        for (std::int64_t c = 0; c < d; ++c)
          expected += left[c] * static_cast<double>(sae.encoder[j * d + c]);
        ASSERT_NEAR(z[i * h + j], expected, 1e-4 * (1 + std::abs(expected)));
        order.emplace_back(-static_cast<double>(z[i * h + j]), static_cast<std::int32_t>(j));
      }
      std::sort(order.begin(), order.end());
      for (std::int64_t t = 0; t < k; ++t) {
        const bool fires = order[t].first < 0;
        ASSERT_EQ(codes.latent[i * k + t], fires ? order[t].second : -1);
        ASSERT_EQ(codes.activation[i * k + t], fires ? static_cast<float>(-order[t].first) : 0);
        if (!fires) continue;
        for (std::int64_t c = 0; c < d; ++c)
          left[c] += order[t].first * static_cast<double>(sae.decoder[order[t].second * d + c]);
      }
      for (const double value : left) square += value * value;
    }
    EXPECT_NEAR(fvu(*host, sae, u, n) / (square / static_cast<double>(n * d)), 1, 1e-5);
  }
}

TEST(Encode, TilesOfProbesStandAlone) {
  const auto host = device::make_host_device(1);
  const Sae sae = random_sae(70, 2);
  constexpr std::int64_t n = 1100;
  const std::vector<float> u = clustered(n, d, 4, 3);
  const Codes all = encode(*host, sae, u, n);
  for (const std::int64_t block : {0, 1, 3, 4}) {
    const std::int64_t first = block * encode_block;
    const std::int64_t rows = block == 1 ? 600 : 3;
    const Codes some = encode(*host, sae, std::span(u).subspan(first * d, rows * d), rows);
    for (std::int64_t i = 0; i < rows * 2; ++i) {
      ASSERT_EQ(some.latent[i], all.latent[first * 2 + i]);
      ASSERT_EQ(some.activation[i], all.activation[first * 2 + i]);
    }
  }
}

TEST(Encode, NonFiniteInputIsAnError) {
  const auto host = device::make_host_device(1);
  std::vector<float> u = clustered(3, d, 2, 3);
  u[d + 1] = NAN;
  EXPECT_EQ(code_of([&] { encode(*host, random_sae(4, 1), u, 3); }), Exit::numbers);
  EXPECT_EQ(code_of([&] { encode_on_device(*host, random_sae(4, 1), u, 3); }), Exit::numbers);
  EXPECT_EQ(code_of([&] { encode(*host, random_sae(4, 1), u, 4); }), Exit::defect);
}

}  // namespace
}  // namespace incipit::sae
