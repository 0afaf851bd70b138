#include "device/sae_gradient.hpp"

#include "sae_checks.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

class SaeGradientOn : public OnEveryDevice {};

template <class T>
struct SaeGradientProblem {
  SaeGradientProblem(std::int64_t p, std::int64_t n_, std::int64_t d_, std::int64_t h_, std::int64_t k_,
                     std::int64_t keep_)
      : n(n_),
        d(d_),
        h(h_),
        k(k_),
        keep(keep_),
        x(normals_of<T>(n * d, stream_of(p, 2))),
        residual(normals_of<T>(n * d, stream_of(p, 3))),
        residual_multi(normals_of<T>(n * d, stream_of(p, 4))),
        weights(normals_of<T>(h * d, stream_of(p, 5))),
        slope(normals_of<T>(n * keep, stream_of(p, 6))) {
    const Kept<T> kept(n, h, keep, stream_of(p, 1));
    index = kept.index;
    value = kept.value;
    for (std::size_t i = 0; i < slope.size(); ++i)
      if (!(value[i] > 0)) slope[i] = 0;
  }
  std::int64_t n, d, h, k, keep;
  T weight = T(0.25), weight_multi = T(0.03125);
  std::vector<T> x, residual, residual_multi, weights, slope, value;
  std::vector<std::int32_t> index;
};

template <class T>
struct Gradients {
  std::vector<T> encoder, encoder_bias, decoder, pre_bias;
};

template <class T>
Gradients<T> run(Device& device, const std::vector<SaeGradientProblem<T>>& problems) {
  const SaeGradientProblem<T>& p = problems.front();
  const auto joined_on = [&](std::vector<T> SaeGradientProblem<T>::*which) {
    return on(device, joined(problems, which));
  };
  const Buffer<T> x = joined_on(&SaeGradientProblem<T>::x);
  const Buffer<T> residual = joined_on(&SaeGradientProblem<T>::residual);
  const Buffer<T> residual_multi = joined_on(&SaeGradientProblem<T>::residual_multi);
  const Buffer<T> weights = joined_on(&SaeGradientProblem<T>::weights);
  const Buffer<T> slope = joined_on(&SaeGradientProblem<T>::slope);
  const Buffer<T> value = joined_on(&SaeGradientProblem<T>::value);
  const Buffer<std::int32_t> index = on(device, joined(problems, &SaeGradientProblem<T>::index));
  // Not zero at first: every entry must be written.
  const auto threes = [&](std::size_t size) { return on(device, std::vector<T>(size, T(3))); };
  Buffer<T> encoder = threes(weights.size());
  Buffer<T> decoder = threes(weights.size());
  Buffer<T> encoder_bias = threes(problems.size() * static_cast<std::size_t>(p.h));
  Buffer<T> pre_bias = threes(problems.size() * static_cast<std::size_t>(p.d));
  device.sae_gradient(SaeGradient<T>{.problems = std::ssize(problems),
                                     .n = p.n,
                                     .d = p.d,
                                     .h = p.h,
                                     .k = p.k,
                                     .keep = p.keep,
                                     .x = x.data(),
                                     .index = index.data(),
                                     .value = value.data(),
                                     .slope = slope.data(),
                                     .residual = residual.data(),
                                     .residual_multi = residual_multi.data(),
                                     .weights = weights.data(),
                                     .weight = p.weight,
                                     .weight_multi = p.weight_multi,
                                     .encoder = encoder.data(),
                                     .encoder_bias = encoder_bias.data(),
                                     .decoder = decoder.data(),
                                     .pre_bias = pre_bias.data()});
  return {encoder.download(), encoder_bias.download(), decoder.download(), pre_bias.download()};
}

template <class T>
Gradients<double> expected(const SaeGradientProblem<T>& p) {
  Gradients<double> g{std::vector<double>(p.h * p.d), std::vector<double>(p.h),
                      std::vector<double>(p.h * p.d), std::vector<double>(p.d)};
  const auto pull = [&](std::int64_t i, std::int64_t c, bool among_k) {
    return -2 * (p.weight_multi * static_cast<double>(p.residual_multi[i * p.d + c]) +
                 (among_k ? p.weight * static_cast<double>(p.residual[i * p.d + c]) : 0));
  };
  for (std::int64_t i = 0; i < p.n; ++i) {
    for (std::int64_t t = 0; t < p.keep; ++t) {
      const std::int64_t pair = i * p.keep + t;
      const std::int64_t j = p.index[pair];
      if (!(p.value[pair] > 0)) continue;
      g.encoder_bias[j] += p.slope[pair];
      for (std::int64_t c = 0; c < p.d; ++c) {
        g.encoder[j * p.d + c] += static_cast<double>(p.slope[pair]) * p.x[i * p.d + c];
        g.decoder[j * p.d + c] += p.value[pair] * pull(i, c, t < p.k);
      }
    }
    for (std::int64_t c = 0; c < p.d; ++c) g.pre_bias[c] += pull(i, c, true);
  }
  for (std::int64_t j = 0; j < p.h; ++j)
    for (std::int64_t c = 0; c < p.d; ++c) g.pre_bias[c] -= g.encoder_bias[j] * p.weights[j * p.d + c];
  return g;
}

template <class T>
void check_gradient(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t k,
                    std::int64_t keep) {
  for (const std::int64_t count : problem_counts) {
    SCOPED_TRACE(testing::Message() << "problems " << count << " n " << n << " d " << d << " h " << h << " k "
                                    << k << " keep " << keep);
    std::vector<SaeGradientProblem<T>> problems;
    for (std::int64_t p = 0; p < count; ++p) problems.emplace_back(p, n, d, h, k, keep);
    const Gradients<T> all = run(device, problems);
    for (std::int64_t p = 0; p < count; ++p) {
      const Gradients<double> wanted = expected(problems[p]);
      const Gradients<T> alone = run<T>(device, {problems[p]});
      expect_close(part(all.encoder, count, p), wanted.encoder, tolerance_of<T>, "encoder");
      expect_close(part(all.encoder_bias, count, p), wanted.encoder_bias, tolerance_of<T>, "encoder_bias");
      expect_close(part(all.decoder, count, p), wanted.decoder, tolerance_of<T>, "decoder");
      expect_close(part(all.pre_bias, count, p), wanted.pre_bias, tolerance_of<T>, "pre_bias");
      EXPECT_EQ(part(all.encoder, count, p), alone.encoder);
      EXPECT_EQ(part(all.encoder_bias, count, p), alone.encoder_bias);
      EXPECT_EQ(part(all.decoder, count, p), alone.decoder);
      EXPECT_EQ(part(all.pre_bias, count, p), alone.pre_bias);
    }
  }
}

TEST_P(SaeGradientOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {{1, 1, 1, 1, 1},      {3, 5, 70, 1, 4},   {65, 33, 12, 2, 8},
                                    {9, 1030, 40, 4, 16}, {150, 31, 9, 9, 9}, {900, 8, 400, 1, 5}};
  for (const auto& s : shapes) {
    check_gradient<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check_gradient<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

TEST(SaeGradientOnHost, SameBytesForAnyThreads) {
  const std::vector<SaeGradientProblem<float>> problems{{0, 256, 300, 64, 1, 4}, {1, 256, 300, 64, 1, 4}};
  expect_same_bytes_for_any_threads([&](Device& device) {
    Gradients<float> g = run(device, problems);
    g.encoder.insert(g.encoder.end(), g.decoder.begin(), g.decoder.end());
    g.encoder.insert(g.encoder.end(), g.encoder_bias.begin(), g.encoder_bias.end());
    g.encoder.insert(g.encoder.end(), g.pre_bias.begin(), g.pre_bias.end());
    return g.encoder;
  });
}

INCIPIT_ON_EVERY_DEVICE(SaeGradientOn);

}  // namespace
}  // namespace incipit::device
