#include "device/sae_gradient.hpp"

#include "sae_checks.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

class SaeGradientOn : public OnEveryDevice {};

template <class T>
struct Problem {
  Problem(std::int64_t n_, std::int64_t d_, std::int64_t h_, std::int64_t k_, std::int64_t keep_)
      : n(n_), d(d_), h(h_), k(k_), keep(keep_), kept(n_, h_, keep_, 1) {
    for (std::size_t i = 0; i < slope.size(); ++i)
      if (!(kept.value[i] > 0)) slope[i] = 0;
  }
  std::int64_t n, d, h, k, keep;
  Kept<T> kept;
  T weight = T(0.25), weight_multi = T(0.03125);
  std::vector<T> x = normals_of<T>(n * d, 2);
  std::vector<T> residual = normals_of<T>(n * d, 3);
  std::vector<T> residual_multi = normals_of<T>(n * d, 4);
  std::vector<T> weights = normals_of<T>(h * d, 5);
  std::vector<T> slope = normals_of<T>(n * keep, 6);
};

template <class T>
struct Gradients {
  std::vector<T> encoder, encoder_bias, decoder, pre_bias;
};

template <class T>
Gradients<T> run(Device& device, const Problem<T>& p) {
  const Buffer<T> x = on(device, p.x);
  const Buffer<T> residual = on(device, p.residual);
  const Buffer<T> residual_multi = on(device, p.residual_multi);
  const Buffer<T> weights = on(device, p.weights);
  const Buffer<T> slope = on(device, p.slope);
  const Buffer<T> value = on(device, p.kept.value);
  const Buffer<std::int32_t> index = on(device, p.kept.index);
  // Not zero at first: every entry must be written.
  Buffer<T> encoder = on(device, std::vector<T>(p.weights.size(), T(3)));
  Buffer<T> decoder = on(device, std::vector<T>(p.weights.size(), T(3)));
  Buffer<T> encoder_bias = on(device, std::vector<T>(p.h, T(3)));
  Buffer<T> pre_bias = on(device, std::vector<T>(p.d, T(3)));
  device.sae_gradient(SaeGradient<T>{.n = p.n,
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
Gradients<double> expected(const Problem<T>& p) {
  Gradients<double> g{std::vector<double>(p.h * p.d), std::vector<double>(p.h),
                      std::vector<double>(p.h * p.d), std::vector<double>(p.d)};
  const auto pull = [&](std::int64_t i, std::int64_t c, bool among_k) {
    return -2 * (p.weight_multi * static_cast<double>(p.residual_multi[i * p.d + c]) +
                 (among_k ? p.weight * static_cast<double>(p.residual[i * p.d + c]) : 0));
  };
  for (std::int64_t i = 0; i < p.n; ++i) {
    for (std::int64_t t = 0; t < p.keep; ++t) {
      const std::int64_t pair = i * p.keep + t;
      const std::int64_t j = p.kept.index[pair];
      if (!(p.kept.value[pair] > 0)) continue;
      g.encoder_bias[j] += p.slope[pair];
      for (std::int64_t c = 0; c < p.d; ++c) {
        g.encoder[j * p.d + c] += static_cast<double>(p.slope[pair]) * p.x[i * p.d + c];
        g.decoder[j * p.d + c] += p.kept.value[pair] * pull(i, c, t < p.k);
      }
    }
    for (std::int64_t c = 0; c < p.d; ++c) g.pre_bias[c] += pull(i, c, true);
  }
  for (std::int64_t j = 0; j < p.h; ++j)
    for (std::int64_t c = 0; c < p.d; ++c) g.pre_bias[c] -= g.encoder_bias[j] * p.weights[j * p.d + c];
  return g;
}

template <class T>
void check(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t k,
           std::int64_t keep) {
  SCOPED_TRACE(testing::Message() << "n " << n << " d " << d << " h " << h << " k " << k << " keep " << keep);
  const Problem<T> problem(n, d, h, k, keep);
  const Gradients<T> actual = run(device, problem);
  const Gradients<double> wanted = expected(problem);
  expect_close(actual.encoder, wanted.encoder, tolerance_of<T>, "encoder");
  expect_close(actual.encoder_bias, wanted.encoder_bias, tolerance_of<T>, "encoder_bias");
  expect_close(actual.decoder, wanted.decoder, tolerance_of<T>, "decoder");
  expect_close(actual.pre_bias, wanted.pre_bias, tolerance_of<T>, "pre_bias");
}

TEST_P(SaeGradientOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {{1, 1, 1, 1, 1},      {3, 5, 70, 1, 4},   {65, 33, 12, 2, 8},
                                    {9, 1030, 40, 4, 16}, {150, 31, 9, 9, 9}, {900, 8, 400, 1, 5}};
  for (const auto& s : shapes) {
    check<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

TEST(SaeGradientOnHost, SameBytesForAnyThreads) {
  const Problem<float> problem(256, 300, 64, 1, 4);
  expect_same_bytes_for_any_threads([&](Device& device) {
    Gradients<float> g = run(device, problem);
    g.encoder.insert(g.encoder.end(), g.decoder.begin(), g.decoder.end());
    g.encoder.insert(g.encoder.end(), g.encoder_bias.begin(), g.encoder_bias.end());
    g.encoder.insert(g.encoder.end(), g.pre_bias.begin(), g.pre_bias.end());
    return g.encoder;
  });
}

INCIPIT_ON_EVERY_DEVICE(SaeGradientOn);

}  // namespace
}  // namespace incipit::device
