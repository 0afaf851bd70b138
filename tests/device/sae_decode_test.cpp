#include "device/sae_decode.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeDecodeOn : public OnEveryDevice {};

template <class T>
struct SaeDecodeProblem {
  SaeDecodeProblem(std::int64_t p, std::int64_t n_, std::int64_t d_, std::int64_t h_, std::int64_t k_,
                   std::int64_t keep_)
      : n(n_),
        d(d_),
        h(h_),
        k(k_),
        keep(keep_),
        x(normals_of<T>(n * d, stream_of(p, 1))),
        decoder(normals_of<T>(h * d, stream_of(p, 2))) {
    const Kept<T> kept(n, h, keep, stream_of(p, 3));
    index = kept.index;
    value = kept.value;
  }
  std::int64_t n, d, h, k, keep;
  T weight = T(0.25), weight_multi = T(0.03125);
  std::vector<T> x, decoder, value;
  std::vector<std::int32_t> index;
};

template <class T>
struct Decoded {
  std::vector<T> residual, multi, slope;
  std::vector<double> square, square_multi;
};

template <class T>
Decoded<T> run(Device& device, const std::vector<SaeDecodeProblem<T>>& problems, bool with_multi = true) {
  const SaeDecodeProblem<T>& p = problems.front();
  const Buffer<T> x = on(device, joined(problems, &SaeDecodeProblem<T>::x));
  const Buffer<T> decoder = on(device, joined(problems, &SaeDecodeProblem<T>::decoder));
  const Buffer<std::int32_t> index = on(device, joined(problems, &SaeDecodeProblem<T>::index));
  const Buffer<T> value = on(device, joined(problems, &SaeDecodeProblem<T>::value));
  Buffer<T> residual(device, x.size());
  Buffer<T> multi(device, x.size());
  Buffer<T> slope(device, value.size());
  Buffer<double> square(device, x.size() / static_cast<std::size_t>(p.d));
  Buffer<double> square_multi(device, square.size());
  for (Buffer<T>* buffer : {&multi, &slope}) buffer->zero();
  square_multi.zero();
  device.sae_decode(SaeDecode<T>{.problems = std::ssize(problems),
                                 .n = p.n,
                                 .d = p.d,
                                 .h = p.h,
                                 .k = p.k,
                                 .keep = p.keep,
                                 .x = x.data(),
                                 .decoder = decoder.data(),
                                 .index = index.data(),
                                 .value = value.data(),
                                 .weight = p.weight,
                                 .weight_multi = p.weight_multi,
                                 .residual = residual.data(),
                                 .residual_multi = with_multi ? multi.data() : nullptr,
                                 .slope = with_multi ? slope.data() : nullptr,
                                 .square = square.data(),
                                 .square_multi = with_multi ? square_multi.data() : nullptr});
  return {residual.download(), multi.download(), slope.download(), square.download(),
          square_multi.download()};
}

template <class T>
Decoded<double> expected(const SaeDecodeProblem<T>& p) {
  Decoded<double> r{std::vector<double>(p.x.begin(), p.x.end()), std::vector<double>(p.x.begin(), p.x.end()),
                    std::vector<double>(p.value.size()), std::vector<double>(p.n), std::vector<double>(p.n)};
  for (std::int64_t i = 0; i < p.n; ++i) {
    for (std::int64_t t = 0; t < p.keep; ++t) {
      const double a = std::max<double>(p.value[i * p.keep + t], 0);
      for (std::int64_t c = 0; c < p.d; ++c) {
        const double share = a * p.decoder[p.index[i * p.keep + t] * p.d + c];
        if (t < p.k) r.residual[i * p.d + c] -= share;
        r.multi[i * p.d + c] -= share;
      }
    }
    for (std::int64_t c = i * p.d; c < (i + 1) * p.d; ++c) {
      r.square[i] += r.residual[c] * r.residual[c];
      r.square_multi[i] += r.multi[c] * r.multi[c];
    }
    for (std::int64_t t = 0; t < p.keep; ++t) {
      if (!(p.value[i * p.keep + t] > 0)) continue;
      for (std::int64_t c = 0; c < p.d; ++c) {
        const double w = p.decoder[p.index[i * p.keep + t] * p.d + c];
        r.slope[i * p.keep + t] -= w * (2 * p.weight_multi * r.multi[i * p.d + c] +
                                        (t < p.k ? 2 * p.weight * r.residual[i * p.d + c] : 0));
      }
    }
  }
  return r;
}

template <class T>
void check_decode(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t k,
                  std::int64_t keep) {
  for (const std::int64_t count : problem_counts) {
    SCOPED_TRACE(testing::Message() << "problems " << count << " n " << n << " d " << d << " h " << h << " k "
                                    << k << " keep " << keep);
    std::vector<SaeDecodeProblem<T>> problems;
    for (std::int64_t p = 0; p < count; ++p) problems.emplace_back(p, n, d, h, k, keep);
    const Decoded<T> all = run(device, problems);
    const Decoded<T> short_form = run(device, problems, false);
    EXPECT_EQ(short_form.residual, all.residual);
    EXPECT_EQ(short_form.square, all.square);
    EXPECT_EQ(short_form.slope, std::vector<T>(all.slope.size()));
    for (std::int64_t p = 0; p < count; ++p) {
      const Decoded<double> wanted = expected(problems[p]);
      const Decoded<T> alone = run<T>(device, {problems[p]});
      expect_close(part(all.residual, count, p), wanted.residual, tolerance_of<T>, "residual");
      expect_close(part(all.multi, count, p), wanted.multi, tolerance_of<T>, "residual_multi");
      expect_close(part(all.slope, count, p), wanted.slope, tolerance_of<T>, "slope");
      expect_close(part(all.square, count, p), wanted.square, tolerance_of<T>, "square");
      expect_close(part(all.square_multi, count, p), wanted.square_multi, tolerance_of<T>, "square_multi");
      EXPECT_EQ(part(all.residual, count, p), alone.residual);
      EXPECT_EQ(part(all.multi, count, p), alone.multi);
      EXPECT_EQ(part(all.slope, count, p), alone.slope);
      EXPECT_EQ(part(all.square, count, p), alone.square);
      EXPECT_EQ(part(all.square_multi, count, p), alone.square_multi);
    }
  }
}

TEST_P(SaeDecodeOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {
      {1, 1, 1, 1, 1}, {3, 5, 7, 1, 4}, {65, 33, 12, 2, 8}, {9, 1030, 40, 4, 16}, {4, 31, 9, 9, 9}};
  for (const auto& s : shapes) {
    check_decode<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check_decode<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

INCIPIT_ON_EVERY_DEVICE(SaeDecodeOn);

}  // namespace
}  // namespace incipit::device
