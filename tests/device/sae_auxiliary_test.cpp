#include "device/sae_auxiliary.hpp"

#include <algorithm>
#include <numeric>

#include "sae_checks.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

class SaeAuxiliaryOn : public OnEveryDevice {};

template <class T>
struct Problem {
  Problem(std::int64_t n_, std::int64_t d_, std::int64_t h_, std::int64_t dead_count, std::int64_t keep_)
      : n(n_), d(d_), h(h_), keep(keep_) {
    Random random(1, Purpose::test, 1);
    std::vector<std::int64_t> order = permutation(h, random);
    std::sort(order.begin(), order.begin() + dead_count);
    dead.assign(order.begin(), order.begin() + dead_count);
    for (std::int64_t i = 0; i < n; ++i)
      e_square.push_back(
          std::inner_product(e.begin() + i * d, e.begin() + (i + 1) * d, e.begin() + i * d, 0.0));
  }
  std::int64_t n, d, h, keep;
  std::vector<std::int32_t> dead;
  std::vector<T> x = normals_of<T>(n * d, 2);
  std::vector<T> z = normals_of<T>(n * h, 3);
  std::vector<T> e = normals_of<T>(n * d, 4);
  std::vector<double> e_square;
  std::vector<T> encoder = normals_of<T>(h * d, 5);
  std::vector<T> decoder = normals_of<T>(h * d, 6);
  // Gradients to be added to.
  std::vector<T> before = normals_of<T>(h * d, 7, 0.01);
  double weight = 1.0 / 32;
  double floor = 1e-6;
};

template <class T>
struct Result {
  std::vector<T> encoder, encoder_bias, decoder, pre_bias;
  std::vector<double> square;
};

template <class T>
Result<T> run(Device& device, const Problem<T>& p) {
  const Buffer<T> x = on(device, p.x);
  const Buffer<T> z = on(device, p.z);
  const Buffer<T> e = on(device, p.e);
  const Buffer<double> e_square = on(device, p.e_square);
  const Buffer<T> encoder = on(device, p.encoder);
  const Buffer<T> decoder = on(device, p.decoder);
  const Buffer<std::int32_t> dead = on(device, p.dead);
  Buffer<T> encoder_gradient = on(device, p.before);
  Buffer<T> decoder_gradient = on(device, p.before);
  Buffer<T> encoder_bias = on(device, std::vector<T>(p.h, T(0.5)));
  Buffer<T> pre_bias = on(device, std::vector<T>(p.d, T(0.5)));
  Buffer<double> square(device, static_cast<std::size_t>(p.n));
  device.sae_auxiliary(SaeAuxiliary<T>{.n = p.n,
                                       .d = p.d,
                                       .h = p.h,
                                       .dead_count = static_cast<std::int64_t>(p.dead.size()),
                                       .keep = p.keep,
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
Result<double> expected(const Problem<T>& p) {
  Result<double> r{std::vector<double>(p.before.begin(), p.before.end()), std::vector<double>(p.h, 0.5),
                   std::vector<double>(p.before.begin(), p.before.end()), std::vector<double>(p.d, 0.5),
                   std::vector<double>(p.n)};
  const double norm = std::accumulate(p.e_square.begin(), p.e_square.end(), 0.0);
  const double c2 = -2 * p.weight / std::max(norm, p.floor);
  for (std::int64_t i = 0; i < p.n; ++i) {
    const T* z = p.z.data() + i * p.h;
    std::vector<std::int32_t> order = p.dead;
    std::stable_sort(order.begin(), order.end(), [z](std::int32_t a, std::int32_t b) { return z[a] > z[b]; });
    order.resize(p.keep);
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
void check(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t dead,
           std::int64_t keep) {
  SCOPED_TRACE(testing::Message() << "n " << n << " d " << d << " h " << h << " dead " << dead << " keep "
                                  << keep);
  const Problem<T> problem(n, d, h, dead, keep);
  const Result<T> actual = run(device, problem);
  const Result<double> wanted = expected(problem);
  expect_close(actual.encoder, wanted.encoder, tolerance_of<T>, "encoder");
  expect_close(actual.encoder_bias, wanted.encoder_bias, tolerance_of<T>, "encoder_bias");
  expect_close(actual.decoder, wanted.decoder, tolerance_of<T>, "decoder");
  expect_close(actual.pre_bias, wanted.pre_bias, tolerance_of<T>, "pre_bias");
  expect_close(actual.square, wanted.square, tolerance_of<T>, "square");
}

TEST_P(SaeAuxiliaryOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {{1, 1, 1, 1, 1},        {3, 6, 70, 10, 3},     {130, 33, 40, 40, 16},
                                    {9, 300, 40, 1, 1},     {150, 80, 90, 60, 40}, {17, 600, 12, 5, 5},
                                    {21, 16, 500, 400, 300}};
  for (const auto& s : shapes) {
    check<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

TEST_P(SaeAuxiliaryOn, TheFloorStandsInForAVanishingResidual) {
  Problem<double> problem(3, 6, 8, 4, 3);
  for (double& value : problem.e) value *= 1e-9;
  for (double& value : problem.e_square) value *= 1e-18;
  expect_close(run(*device_, problem).decoder, expected(problem).decoder, 1e-12, "decoder");
}

TEST(SaeAuxiliaryOnHost, SameBytesForAnyThreads) {
  const Problem<float> problem(256, 600, 64, 50, 32);
  expect_same_bytes_for_any_threads([&](Device& device) {
    Result<float> r = run(device, problem);
    r.encoder.insert(r.encoder.end(), r.decoder.begin(), r.decoder.end());
    r.encoder.insert(r.encoder.end(), r.encoder_bias.begin(), r.encoder_bias.end());
    r.encoder.insert(r.encoder.end(), r.pre_bias.begin(), r.pre_bias.end());
    return r.encoder;
  });
}

INCIPIT_ON_EVERY_DEVICE(SaeAuxiliaryOn);

}  // namespace
}  // namespace incipit::device
