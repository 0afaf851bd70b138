#include "device/bias_activation.hpp"

#include <cmath>
#include <limits>

#include "numbers.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

double exact(Nonlinearity f, double x) {
  switch (f) {
    case Nonlinearity::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Nonlinearity::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Nonlinearity::relu:
      return std::max(x, 0.0);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

template <Number T>
std::vector<float> run(Device& device, Nonlinearity f, std::int64_t rows, const std::vector<float>& values,
                       const std::vector<float>& bias_values) {
  Buffer<T> x = to_device<T>(device, values);
  const Buffer<float> bias(device, std::span<const float>(bias_values));
  device.bias_activation(BiasActivation<T>{.rows = rows,
                                           .d = static_cast<std::int64_t>(values.size()) / rows,
                                           .f = f,
                                           .bias = bias.data(),
                                           .x = x.data()});
  return from_device(x);
}

class BiasActivationOn : public OnEveryDevice {};

template <Number T>
void expect_plain_loops(Device& device, Nonlinearity f, std::int64_t rows, std::int64_t d) {
  const std::vector<float> x = held<T>(normals(static_cast<std::size_t>(rows * d), 15, 2.0));
  const std::vector<float> bias = normals(static_cast<std::size_t>(d), 16);
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.size(); ++i) {
    expected.push_back(exact(f, static_cast<double>(x[i] + bias[i % bias.size()])));
  }
  expect_near(run<T>(device, f, rows, x, bias), expected, allowed<T>(1e-6));
}

TEST_P(BiasActivationOn, AgreesWithPlainLoops) {
  for (const Nonlinearity f : {Nonlinearity::gelu, Nonlinearity::gelu_tanh, Nonlinearity::relu}) {
    for (const std::int64_t rows : {1, 3, 40}) {
      for (const std::int64_t d : {1, 7, 8, 65, 1024}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(f) << " " << rows << "x" << d);
        for_every_number([&]<Number T>() { expect_plain_loops<T>(*device_, f, rows, d); });
      }
    }
  }
}

/// Numbers from −12 to 12 and a few beyond; of 16 bits all finite ones.
template <Number T>
std::vector<float> everywhere() {
  std::vector<float> x;
  if constexpr (std::same_as<T, float>) {
    for (int i = -120'000; i <= 120'000; ++i) x.push_back(static_cast<float>(i) * 1e-4F);
    for (const float extreme : {-3e38F, -1e6F, -50.0F, 50.0F, 1e6F}) x.push_back(extreme);
  } else {
    for (int i = 0; i <= 0xffff; ++i) {
      const float value = to_float(T{static_cast<std::uint16_t>(i)});
      if (std::isfinite(value)) x.push_back(value);
    }
  }
  return x;
}

TEST_P(BiasActivationOn, IsAccurateEverywhere) {
  for_every_number([&]<Number T>() {
    const std::vector<float> x = everywhere<T>();
    for (const Nonlinearity f : {Nonlinearity::gelu, Nonlinearity::gelu_tanh, Nonlinearity::relu}) {
      const std::vector<float> y = run<T>(*device_, f, 1, x, {});
      const double computed = f == Nonlinearity::gelu_tanh ? 3e-7 : 2e-7;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double expected = exact(f, static_cast<double>(x[i]));
        const double most = computed * std::max(1.0, std::abs(expected)) + allowed<T>(0) * std::abs(expected);
        ASSERT_TRUE(std::abs(static_cast<double>(y[i]) - expected) <= most)
            << "f(" << x[i] << ") = " << y[i] << ", expected " << expected;
      }
    }
  });
}

TEST_P(BiasActivationOn, TheTailOfGeluKeepsItsDigits) {
  std::vector<float> x;
  for (int i = 0; i < 9000; ++i) x.push_back(-1e-3F * static_cast<float>(i + 1));
  const std::vector<float> y = run<float>(*device_, Nonlinearity::gelu, 1, x, {});
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = exact(Nonlinearity::gelu, static_cast<double>(x[i]));
    ASSERT_TRUE(std::abs(y[i] / expected - 1) <= 8e-6)
        << "gelu(" << x[i] << ") = " << y[i] << ", expected " << expected;
  }
}

TEST_P(BiasActivationOn, PassesNanOn) {
  const std::vector<float> x(13, std::numeric_limits<float>::quiet_NaN());
  for (const Nonlinearity f : {Nonlinearity::gelu, Nonlinearity::gelu_tanh, Nonlinearity::relu}) {
    for_every_number([&]<Number T>() {
      for (const float y : run<T>(*device_, f, 1, x, {})) EXPECT_TRUE(std::isnan(y));
    });
  }
}

INCIPIT_ON_EVERY_DEVICE(BiasActivationOn);

TEST(BiasActivation, SameBytesForAnyThreads) {
  const std::vector<float> x = normals(std::size_t{51} * 333, 17);
  const std::vector<float> bias = normals(333, 18);
  for_every_number([&]<Number T>() {
    expect_same_bytes_for_any_threads(
        [&](Device& device) { return run<T>(device, Nonlinearity::gelu, 51, x, bias); });
  });
}

}  // namespace
}  // namespace incipit::device
