#include "device/sae_auxiliary.hpp"

#include <algorithm>
#include <numeric>

#include "sae_checks.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

class SaeAuxiliaryOn : public OnEveryDevice {};

template <class T>
struct SaeAuxiliaryProblem {
  SaeAuxiliaryProblem(std::int64_t p, std::int64_t n_, std::int64_t d_, std::int64_t h_,
                      std::int64_t dead_count, std::int64_t most_kept_)
      : n(n_),
        d(d_),
        h(h_),
        most_kept(most_kept_),
        count{dead_count},
        x(normals_of<T>(n * d, stream_of(p, 2))),
        z(normals_of<T>(n * h, stream_of(p, 3))),
        e(normals_of<T>(n * d, stream_of(p, 4))),
        encoder(normals_of<T>(h * d, stream_of(p, 5))),
        decoder(normals_of<T>(h * d, stream_of(p, 6))),
        before(normals_of<T>(h * d, stream_of(p, 7), 0.01)) {
    Random random(1, Purpose::test, stream_of(p, 1));
    std::vector<std::int64_t> order = permutation(h, random);
    std::sort(order.begin(), order.begin() + dead_count);
    dead.assign(order.begin(), order.begin() + dead_count);
    // What stands behind the dead ones means nothing.
    dead.resize(h, 1 << 30);
    for (std::int64_t i = 0; i < n; ++i)
      e_square.push_back(
          std::inner_product(e.begin() + i * d, e.begin() + (i + 1) * d, e.begin() + i * d, 0.0));
  }
  std::int64_t n, d, h, most_kept;
  std::vector<std::int64_t> count;
  std::vector<std::int32_t> dead;
  std::vector<T> x, z, e, encoder, decoder;
  std::vector<T> before;  ///< gradients to be added to
  std::vector<double> e_square;
  double weight = 1.0 / 32;
  double floor = 1e-6;
};

template <class T>
struct Result {
  std::vector<T> encoder, encoder_bias, decoder, pre_bias;
  std::vector<double> square;
};

template <class T>
Result<T> run(Device& device, const std::vector<SaeAuxiliaryProblem<T>>& problems) {
  const SaeAuxiliaryProblem<T>& p = problems.front();
  const auto joined_on = [&](auto which) { return on(device, joined(problems, which)); };
  const Buffer<T> x = joined_on(&SaeAuxiliaryProblem<T>::x);
  const Buffer<T> z = joined_on(&SaeAuxiliaryProblem<T>::z);
  const Buffer<T> e = joined_on(&SaeAuxiliaryProblem<T>::e);
  const Buffer<double> e_square = joined_on(&SaeAuxiliaryProblem<T>::e_square);
  const Buffer<T> encoder = joined_on(&SaeAuxiliaryProblem<T>::encoder);
  const Buffer<T> decoder = joined_on(&SaeAuxiliaryProblem<T>::decoder);
  const Buffer<std::int32_t> dead = joined_on(&SaeAuxiliaryProblem<T>::dead);
  const Buffer<std::int64_t> count = joined_on(&SaeAuxiliaryProblem<T>::count);
  Buffer<T> encoder_gradient = joined_on(&SaeAuxiliaryProblem<T>::before);
  Buffer<T> decoder_gradient = joined_on(&SaeAuxiliaryProblem<T>::before);
  Buffer<T> encoder_bias = on(device, std::vector<T>(problems.size() * p.h, T(0.5)));
  Buffer<T> pre_bias = on(device, std::vector<T>(problems.size() * p.d, T(0.5)));
  Buffer<double> square(device, problems.size() * p.n);
  device.sae_auxiliary(SaeAuxiliary<T>{.problems = std::ssize(problems),
                                       .n = p.n,
                                       .d = p.d,
                                       .h = p.h,
                                       .most_kept = p.most_kept,
                                       .dead_count = count.data(),
                                       .dead = dead.data(),
                                       .x = x.data(),
                                       .z = z.data(),
                                       .e = e.data(),
                                       .e_square = e_square.data(),
                                       .encoder = encoder.data(),
                                       .decoder = decoder.data(),
                                       .weight = p.weight,
                                       .floor = p.floor,
                                       .encoder_gradient = encoder_gradient.data(),
                                       .encoder_bias_gradient = encoder_bias.data(),
                                       .decoder_gradient = decoder_gradient.data(),
                                       .pre_bias_gradient = pre_bias.data(),
                                       .square = square.data()});
  return {encoder_gradient.download(), encoder_bias.download(), decoder_gradient.download(),
          pre_bias.download(), square.download()};
}

template <class T>
Result<double> expected(const SaeAuxiliaryProblem<T>& p) {
  Result<double> r{std::vector<double>(p.before.begin(), p.before.end()), std::vector<double>(p.h, 0.5),
                   std::vector<double>(p.before.begin(), p.before.end()), std::vector<double>(p.d, 0.5),
                   std::vector<double>(p.n)};
  if (p.count[0] == 0) return r;
  const double norm = std::accumulate(p.e_square.begin(), p.e_square.end(), 0.0);
  const double c2 = -2 * p.weight / std::max(norm, p.floor);
  for (std::int64_t i = 0; i < p.n; ++i) {
    const T* z = p.z.data() + i * p.h;
    std::vector<std::int32_t> order(p.dead.begin(), p.dead.begin() + p.count[0]);
    std::stable_sort(order.begin(), order.end(), [z](std::int32_t a, std::int32_t b) { return z[a] > z[b]; });
    order.resize(std::min(p.most_kept, p.count[0]));
    std::vector<double> f(p.e.begin() + i * p.d, p.e.begin() + (i + 1) * p.d);
    for (const std::int32_t j : order)
      for (std::int64_t c = 0; c < p.d; ++c) f[c] -= std::max<double>(z[j], 0) * p.decoder[j * p.d + c];
    for (std::int64_t c = 0; c < p.d; ++c) r.square[i] += f[c] * f[c];
    for (const std::int32_t j : order) {
      if (!(z[j] > 0)) continue;
      double slope = 0;
      for (std::int64_t c = 0; c < p.d; ++c) slope += c2 * f[c] * p.decoder[j * p.d + c];
      r.encoder_bias[j] += slope;
      for (std::int64_t c = 0; c < p.d; ++c) {
        r.decoder[j * p.d + c] += c2 * z[j] * f[c];
        r.encoder[j * p.d + c] += slope * p.x[i * p.d + c];
        r.pre_bias[c] -= slope * p.encoder[j * p.d + c];
      }
    }
  }
  return r;
}

template <class T>
void expect_result_close(const Result<T>& actual, const Result<double>& wanted, std::int64_t count,
                         std::int64_t p) {
  expect_close(part(actual.encoder, count, p), wanted.encoder, tolerance_of<T>, "encoder");
  expect_close(part(actual.encoder_bias, count, p), wanted.encoder_bias, tolerance_of<T>, "encoder_bias");
  expect_close(part(actual.decoder, count, p), wanted.decoder, tolerance_of<T>, "decoder");
  expect_close(part(actual.pre_bias, count, p), wanted.pre_bias, tolerance_of<T>, "pre_bias");
  expect_close(part(actual.square, count, p), wanted.square, tolerance_of<T>, "square");
}

template <class T>
void expect_result_equal(const Result<T>& actual, const Result<T>& alone, std::int64_t count,
                         std::int64_t p) {
  EXPECT_EQ(part(actual.encoder, count, p), alone.encoder);
  EXPECT_EQ(part(actual.encoder_bias, count, p), alone.encoder_bias);
  EXPECT_EQ(part(actual.decoder, count, p), alone.decoder);
  EXPECT_EQ(part(actual.pre_bias, count, p), alone.pre_bias);
  EXPECT_EQ(part(actual.square, count, p), alone.square);
}

template <class T>
void check_auxiliary(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t dead,
                     std::int64_t keep) {
  SCOPED_TRACE(testing::Message() << "n " << n << " d " << d << " h " << h << " dead " << dead << " keep "
                                  << keep);
  const std::vector<SaeAuxiliaryProblem<T>> problem{{0, n, d, h, dead, keep}};
  expect_result_close(run(device, problem), expected(problem[0]), 1, 0);
}

TEST_P(SaeAuxiliaryOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {{1, 1, 1, 1, 1},        {3, 6, 70, 10, 3},     {130, 33, 40, 40, 16},
                                    {9, 300, 40, 1, 1},     {150, 80, 90, 60, 40}, {17, 600, 12, 5, 5},
                                    {21, 16, 500, 400, 300}};
  for (const auto& s : shapes) {
    check_auxiliary<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check_auxiliary<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

/// None dead, few (less than are kept), all, more than are kept.
template <class T>
void check_together(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t most_kept) {
  const std::int64_t dead[] = {most_kept / 2, 0, h, std::min(most_kept + 1, h), 0};
  for (const std::int64_t count : problem_counts) {
    SCOPED_TRACE(testing::Message() << "problems " << count << " n " << n << " d " << d << " h " << h
                                    << " most kept " << most_kept);
    std::vector<SaeAuxiliaryProblem<T>> problems;
    for (std::int64_t p = 0; p < count; ++p) problems.emplace_back(p, n, d, h, dead[p], most_kept);
    const Result<T> all = run(device, problems);
    for (std::int64_t p = 0; p < count; ++p) {
      expect_result_close(all, expected(problems[p]), count, p);
      expect_result_equal(all, run<T>(device, {problems[p]}), count, p);
    }
  }
}

TEST_P(SaeAuxiliaryOn, ProblemsTogetherAreEachAsIfAlone) {
  const std::int64_t shapes[][4] = {{3, 6, 70, 3}, {70, 33, 40, 16}, {17, 100, 12, 5}, {1, 2, 2, 1}};
  for (const auto& s : shapes) {
    check_together<float>(*device_, s[0], s[1], s[2], s[3]);
    check_together<double>(*device_, s[0], s[1], s[2], s[3]);
  }
}

TEST_P(SaeAuxiliaryOn, WithoutDeadLatentsNothingChanges) {
  const std::vector<SaeAuxiliaryProblem<float>> problem{{0, 5, 6, 8, 0, 3}};
  const Result<float> result = run(*device_, problem);
  EXPECT_EQ(result.encoder, problem[0].before);
  EXPECT_EQ(result.decoder, problem[0].before);
  EXPECT_EQ(result.encoder_bias, std::vector<float>(8, 0.5F));
  EXPECT_EQ(result.pre_bias, std::vector<float>(6, 0.5F));
  EXPECT_EQ(result.square, std::vector<double>(5, 0.0));
}

TEST_P(SaeAuxiliaryOn, TheFloorStandsInForAVanishingResidual) {
  SaeAuxiliaryProblem<double> problem(0, 3, 6, 8, 4, 3);
  for (double& value : problem.e) value *= 1e-9;
  for (double& value : problem.e_square) value *= 1e-18;
  expect_close(run<double>(*device_, {problem}).decoder, expected(problem).decoder, 1e-12, "decoder");
}

TEST(SaeAuxiliaryOnHost, SameBytesForAnyThreads) {
  const std::vector<SaeAuxiliaryProblem<float>> problems{{0, 256, 600, 64, 50, 32},
                                                         {1, 256, 600, 64, 20, 32}};
  expect_same_bytes_for_any_threads([&](Device& device) {
    Result<float> r = run(device, problems);
    r.encoder.insert(r.encoder.end(), r.decoder.begin(), r.decoder.end());
    r.encoder.insert(r.encoder.end(), r.encoder_bias.begin(), r.encoder_bias.end());
    r.encoder.insert(r.encoder.end(), r.pre_bias.begin(), r.pre_bias.end());
    return r.encoder;
  });
}

INCIPIT_ON_EVERY_DEVICE(SaeAuxiliaryOn);

}  // namespace
}  // namespace incipit::device
