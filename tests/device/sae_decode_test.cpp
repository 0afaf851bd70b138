#include "device/sae_decode.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeDecodeOn : public OnEveryDevice {};

template <class T>
void check(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t k,
           std::int64_t keep) {
  SCOPED_TRACE(testing::Message() << "n " << n << " d " << d << " h " << h << " k " << k << " keep " << keep);
  const std::vector<T> x = normals_of<T>(n * d, 1);
  const std::vector<T> decoder = normals_of<T>(h * d, 2);
  const Kept<T> kept(n, h, keep, 3);
  const T weight = T(0.25);
  const T weight_multi = T(0.03125);

  const Buffer<T> x_on = on(device, x);
  const Buffer<T> decoder_on = on(device, decoder);
  const Buffer<std::int32_t> index_on = on(device, kept.index);
  const Buffer<T> value_on = on(device, kept.value);
  Buffer<T> residual(device, x.size());
  Buffer<T> multi(device, x.size());
  Buffer<T> slope(device, kept.value.size());
  Buffer<double> square(device, static_cast<std::size_t>(n));
  Buffer<double> square_multi(device, static_cast<std::size_t>(n));
  SaeDecode<T> op{.n = n,
                  .d = d,
                  .k = k,
                  .keep = keep,
                  .x = x_on.data(),
                  .decoder = decoder_on.data(),
                  .index = index_on.data(),
                  .value = value_on.data(),
                  .weight = weight,
                  .weight_multi = weight_multi,
                  .residual = residual.data(),
                  .residual_multi = multi.data(),
                  .slope = slope.data(),
                  .square = square.data(),
                  .square_multi = square_multi.data()};
  device.sae_decode(op);

  std::vector<double> r(x.begin(), x.end());
  std::vector<double> r_multi(x.begin(), x.end());
  std::vector<double> slopes(kept.value.size());
  std::vector<double> squares(static_cast<std::size_t>(n));
  std::vector<double> squares_multi(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t t = 0; t < keep; ++t) {
      const double a = std::max<double>(kept.value[i * keep + t], 0);
      for (std::int64_t c = 0; c < d; ++c) {
        const double part = a * decoder[kept.index[i * keep + t] * d + c];
        if (t < k) r[i * d + c] -= part;
        r_multi[i * d + c] -= part;
      }
    }
    for (std::int64_t c = 0; c < d; ++c) {
      squares[i] += r[i * d + c] * r[i * d + c];
      squares_multi[i] += r_multi[i * d + c] * r_multi[i * d + c];
    }
    for (std::int64_t t = 0; t < keep; ++t) {
      if (!(kept.value[i * keep + t] > 0)) continue;
      for (std::int64_t c = 0; c < d; ++c) {
        const double w = decoder[kept.index[i * keep + t] * d + c];
        slopes[i * keep + t] -=
            w * (2 * weight_multi * r_multi[i * d + c] + (t < k ? 2 * weight * r[i * d + c] : 0));
      }
    }
  }
  expect_close(residual.download(), r, tolerance_of<T>, "residual");
  expect_close(multi.download(), r_multi, tolerance_of<T>, "residual_multi");
  expect_close(slope.download(), slopes, tolerance_of<T>, "slope");
  expect_close(square.download(), squares, tolerance_of<T>, "square");
  expect_close(square_multi.download(), squares_multi, tolerance_of<T>, "square_multi");

  residual.zero();
  square.zero();
  op.residual_multi = op.slope = nullptr;
  op.square_multi = nullptr;
  device.sae_decode(op);
  expect_close(residual.download(), r, tolerance_of<T>, "residual alone");
  expect_close(square.download(), squares, tolerance_of<T>, "square alone");
}

TEST_P(SaeDecodeOn, EqualsPlainLoops) {
  const std::int64_t shapes[][5] = {
      {1, 1, 1, 1, 1}, {3, 5, 7, 1, 4}, {65, 33, 12, 2, 8}, {9, 1030, 40, 4, 16}, {4, 31, 9, 9, 9}};
  for (const auto& s : shapes) {
    check<float>(*device_, s[0], s[1], s[2], s[3], s[4]);
    check<double>(*device_, s[0], s[1], s[2], s[3], s[4]);
  }
}

INCIPIT_ON_EVERY_DEVICE(SaeDecodeOn);

}  // namespace
}  // namespace incipit::device
