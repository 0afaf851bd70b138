#include "device/sae_adam.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class SaeAdamOn : public OnEveryDevice {};

/// Five steps with new gradients each, some rows never touched, against the formulas as they are written.
template <class T>
void check_adam(Device& device, std::int64_t rows, std::int64_t d, bool unit_rows) {
  SCOPED_TRACE(testing::Message() << "rows " << rows << " d " << d << " unit rows " << unit_rows);
  std::vector<T> start = normals_of<T>(rows * d, 1);
  std::vector<double> w(start.begin(), start.end());
  if (unit_rows) {
    for (std::int64_t row = 0; row < rows; ++row) {
      double norm = 0;
      for (std::int64_t i = 0; i < d; ++i) norm += w[row * d + i] * w[row * d + i];
      for (std::int64_t i = 0; i < d; ++i)
        start[row * d + i] = static_cast<T>(w[row * d + i] /= std::sqrt(norm));
    }
  }
  std::vector<double> m(w.size());
  std::vector<double> v(w.size());
  Buffer<T> parameter = on(device, start);
  Buffer<T> first(device, start.size());
  Buffer<T> second(device, start.size());
  first.zero();
  second.zero();
  for (std::int64_t step = 1; step <= 5; ++step) {
    std::vector<T> gradient = normals_of<T>(rows * d, 10 + step, 1e-4);
    if (rows > 2 && step > 1) std::fill_n(gradient.begin() + d, d, T{0});
    const Buffer<T> gradient_on = on(device, gradient);
    const double rate = 0.01 / static_cast<double>(step);
    device.sae_adam(SaeAdam<T>{.rows = rows,
                               .d = d,
                               .unit_rows = unit_rows,
                               .step = step,
                               .rate = rate,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .epsilon = 6.25e-10,
                               .gradient = gradient_on.data(),
                               .parameter = parameter.data(),
                               .first = first.data(),
                               .second = second.data()});
    for (std::int64_t row = 0; row < rows; ++row) {
      double parallel = 0;
      for (std::int64_t i = 0; i < d; ++i) parallel += gradient[row * d + i] * w[row * d + i];
      double norm = 0;
      for (std::int64_t e = row * d; e < (row + 1) * d; ++e) {
        const double g = gradient[e] - (unit_rows ? parallel * w[e] : 0);
        m[e] = 0.9 * m[e] + 0.1 * g;
        v[e] = 0.999 * v[e] + 0.001 * g * g;
        const auto t = static_cast<double>(step);
        w[e] -=
            rate * (m[e] / (1 - std::pow(0.9, t))) / (std::sqrt(v[e] / (1 - std::pow(0.999, t))) + 6.25e-10);
        norm += w[e] * w[e];
      }
      if (unit_rows)
        for (std::int64_t e = row * d; e < (row + 1) * d; ++e) w[e] /= std::sqrt(norm);
    }
  }
  expect_close(parameter.download(), w, tolerance_of<T>, "parameter");
  expect_close(first.download(), m, tolerance_of<T>, "first moment");
  expect_close(second.download(), v, tolerance_of<T>, "second moment");
}

TEST_P(SaeAdamOn, EqualsTheFormulas) {
  // A row of one dimension is all parallel: its gradient is rounding error, which Adam blows up.
  for (const auto& [rows, d] : {std::pair<std::int64_t, std::int64_t>{1, 9}, {7, 33}, {3, 1000}, {40, 768}}) {
    for (const bool unit_rows : {false, true}) {
      check_adam<float>(*device_, rows, d, unit_rows);
      check_adam<double>(*device_, rows, d, unit_rows);
    }
  }
  check_adam<float>(*device_, 1, 1, false);
}

TEST_P(SaeAdamOn, MomentsOfSilentLatentsDecayToZeroNotToSubnormals) {
  Buffer<float> parameter = on(*device_, std::vector<float>{1, 1});
  Buffer<float> first = on(*device_, std::vector<float>{1e-37F, -1e-37F});
  Buffer<float> second = on(*device_, std::vector<float>{1e-37F, 1e-37F});
  Buffer<float> gradient = on(*device_, std::vector<float>{0, 0});
  for (std::int64_t step = 1; step <= 4000; ++step)
    device_->sae_adam(SaeAdam<float>{.rows = 1,
                                     .d = 2,
                                     .step = step,
                                     .rate = 1e-3,
                                     .beta1 = 0.9,
                                     .beta2 = 0.999,
                                     .epsilon = 6.25e-10,
                                     .gradient = gradient.data(),
                                     .parameter = parameter.data(),
                                     .first = first.data(),
                                     .second = second.data()});
  EXPECT_EQ(first.download(), (std::vector<float>{0, 0}));
  EXPECT_EQ(second.download(), (std::vector<float>{0, 0}));
  EXPECT_TRUE(std::isfinite(parameter.download()[0]));
}

TEST_P(SaeAdamOn, RowsStandAlone) {
  constexpr std::int64_t rows = 5;
  constexpr std::int64_t d = 77;
  const std::vector<float> gradient = normals_of<float>(rows * d, 1);
  const std::vector<float> start = normals_of<float>(rows * d, 2);
  const auto step = [&](const std::vector<float>& g, const std::vector<float>& w, bool unit_rows) {
    const Buffer<float> gradient_on = on(*device_, g);
    Buffer<float> parameter = on(*device_, w);
    Buffer<float> first(*device_, w.size());
    Buffer<float> second(*device_, w.size());
    first.zero();
    second.zero();
    device_->sae_adam(SaeAdam<float>{.rows = std::ssize(w) / d,
                                     .d = d,
                                     .unit_rows = unit_rows,
                                     .step = 1,
                                     .rate = 0.1,
                                     .beta1 = 0.9,
                                     .beta2 = 0.999,
                                     .epsilon = 6.25e-10,
                                     .gradient = gradient_on.data(),
                                     .parameter = parameter.data(),
                                     .first = first.data(),
                                     .second = second.data()});
    return parameter.download();
  };
  for (const bool unit_rows : {false, true}) {
    const std::vector<float> all = step(gradient, start, unit_rows);
    for (std::int64_t row = 0; row < rows; ++row)
      EXPECT_EQ(part(all, rows, row), step(part(gradient, rows, row), part(start, rows, row), unit_rows));
  }
}

INCIPIT_ON_EVERY_DEVICE(SaeAdamOn);

}  // namespace
}  // namespace incipit::device
