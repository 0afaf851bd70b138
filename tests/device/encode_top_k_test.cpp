#include "device/encode_top_k.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class EncodeTopKOn : public OnEveryDevice {};

template <class T>
struct Encoded {
  std::vector<std::int32_t> index;
  std::vector<T> value, z;
};

template <class T>
Encoded<T> run(Device& device, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t keep,
               const std::vector<T>& x, const std::vector<T>& encoder, const std::vector<T>& bias,
               bool with_z = true, std::int64_t problems = 1) {
  const Buffer<T> x_on = on(device, x);
  const Buffer<T> encoder_on = on(device, encoder);
  const Buffer<T> bias_on = on(device, bias);
  Buffer<std::int32_t> index(device, static_cast<std::size_t>(problems * n * keep));
  Buffer<T> value(device, static_cast<std::size_t>(problems * n * keep));
  Buffer<T> z(device, static_cast<std::size_t>(problems * n * h));
  z.zero();
  device.encode_top_k(EncodeTopK<T>{.problems = problems,
                                    .n = n,
                                    .d = d,
                                    .h = h,
                                    .keep = keep,
                                    .x = x_on.data(),
                                    .encoder = encoder_on.data(),
                                    .bias = bias_on.data(),
                                    .index = index.data(),
                                    .value = value.data(),
                                    .z = with_z ? z.data() : nullptr});
  return {index.download(), value.download(), z.download()};
}

/// z against plain fp64 loops, and the selection against a full sort of the z that the device found.
template <class T>
void check(Device& device, std::int64_t problems, std::int64_t n, std::int64_t d, std::int64_t h,
           std::int64_t keep) {
  SCOPED_TRACE(testing::Message() << "problems " << problems << " n " << n << " d " << d << " h " << h
                                  << " keep " << keep);
  const std::vector<T> x = normals_of<T>(problems * n * d, 1);
  const std::vector<T> encoder = normals_of<T>(problems * h * d, 2);
  const std::vector<T> bias = normals_of<T>(problems * h, 3);
  const Encoded<T> encoded = run(device, n, d, h, keep, x, encoder, bias, true, problems);

  std::vector<double> expected(static_cast<std::size_t>(problems * n * h));
  for (std::int64_t i = 0; i < problems * n; ++i)
    for (std::int64_t j = 0; j < h; ++j) {
      const std::int64_t latent = i / n * h + j;
      double z = bias[latent];
      for (std::int64_t c = 0; c < d; ++c) z += static_cast<double>(x[i * d + c]) * encoder[latent * d + c];
      expected[i * h + j] = z;
    }
  expect_close(encoded.z, expected, tolerance_of<T>, "z");

  for (std::int64_t i = 0; i < problems * n; ++i) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(h));
    std::iota(order.begin(), order.end(), 0);
    const T* z = encoded.z.data() + i * h;
    std::stable_sort(order.begin(), order.end(), [z](std::int32_t a, std::int32_t b) { return z[a] > z[b]; });
    for (std::int64_t t = 0; t < keep; ++t) {
      ASSERT_EQ(encoded.index[i * keep + t], order[t]) << "row " << i << " place " << t;
      ASSERT_EQ(encoded.value[i * keep + t], z[order[t]]);
    }
  }
  const Encoded<T> without_z = run(device, n, d, h, keep, x, encoder, bias, false, problems);
  EXPECT_EQ(without_z.index, encoded.index);
  EXPECT_EQ(without_z.value, encoded.value);
  if (problems == 1) return;
  for (std::int64_t p = 0; p < problems; ++p) {
    const Encoded<T> alone =
        run(device, n, d, h, keep, part(x, problems, p), part(encoder, problems, p), part(bias, problems, p));
    EXPECT_EQ(alone.z, part(encoded.z, problems, p));
    EXPECT_EQ(alone.index, part(encoded.index, problems, p));
    EXPECT_EQ(alone.value, part(encoded.value, problems, p));
  }
}

TEST_P(EncodeTopKOn, KeepsTheLargest) {
  const std::int64_t shapes[][4] = {{1, 1, 1, 1},       {3, 5, 7, 1},     {5, 3, 7, 7},      {130, 17, 33, 4},
                                    {129, 40, 300, 1},  {7, 64, 129, 16}, {11, 20, 200, 17}, {600, 9, 130, 2},
                                    {3, 4, 1500, 1024}, {2, 9, 700, 256}};
  for (const auto& s : shapes) {
    check<float>(*device_, 1, s[0], s[1], s[2], s[3]);
    check<double>(*device_, 1, s[0], s[1], s[2], s[3]);
  }
}

TEST_P(EncodeTopKOn, ProblemsTogetherAreEachAsIfAlone) {
  const std::int64_t shapes[][4] = {{1, 1, 1, 1}, {130, 17, 150, 1}, {37, 20, 33, 4}, {3, 8, 300, 300}};
  for (const auto& s : shapes) {
    for (const std::int64_t problems : {2, 5}) {
      check<float>(*device_, problems, s[0], s[1], s[2], s[3]);
      check<double>(*device_, problems, s[0], s[1], s[2], s[3]);
    }
  }
}

/// Enough work for a device to cut it into larger pieces, beside a few rows of it.
template <class T>
void check_pieces(Device& device) {
  constexpr std::int64_t n = 129;
  constexpr std::int64_t d = 11;
  constexpr std::int64_t h = 8193;
  constexpr std::int64_t few = 3;
  for (const std::int64_t keep : {1, 2}) check<T>(device, 1, n, d, h, keep);
  const std::vector<T> x = normals_of<T>(n * d, 1);
  const std::vector<T> encoder = normals_of<T>(h * d, 2);
  const std::vector<T> bias = normals_of<T>(h, 3);
  const std::vector<T> some(x.begin(), x.begin() + few * d);
  const std::vector<T> all_z = run(device, n, d, h, 1, x, encoder, bias).z;
  EXPECT_EQ(run(device, few, d, h, 1, some, encoder, bias).z,
            std::vector<T>(all_z.begin(), all_z.begin() + few * h));
}

TEST_P(EncodeTopKOn, LargePiecesAndSmallOnesAreTheSameBytes) {
  check_pieces<float>(*device_);
  check_pieces<double>(*device_);
}

TEST_P(EncodeTopKOn, TiesGoToTheLowerIndex) {
  constexpr std::int64_t h = 150;
  const std::vector<float> x = {1};
  std::vector<float> encoder(h);
  for (std::int64_t j = 0; j < h; ++j) encoder[j] = static_cast<float>(j % 3);
  for (const std::int64_t keep : {1, 4, 40}) {
    const Encoded<float> encoded = run<float>(*device_, 1, 1, h, keep, x, encoder, std::vector<float>(h, 0));
    for (std::int64_t t = 0; t < keep; ++t) EXPECT_EQ(encoded.index[t], 3 * t + 2);
  }
}

TEST_P(EncodeTopKOn, AmongEqualsTheLowestIndicesAreKept) {
  constexpr std::int64_t h = 3000;
  std::vector<float> bias(h, 0.0F);
  bias[2990] = 1;
  for (const std::int64_t keep : {1, 2, 300, 700}) {
    const Encoded<float> encoded =
        run<float>(*device_, 1, 1, h, keep, {0.0F}, std::vector<float>(h, 0), bias);
    EXPECT_EQ(encoded.index[0], 2990);
    for (std::int64_t t = 1; t < keep; ++t) ASSERT_EQ(encoded.index[t], t - 1);
  }
}

TEST_P(EncodeTopKOn, TilesOfRowsStandAlone) {
  constexpr std::int64_t n = 2 * encode_tile_rows + 45;
  constexpr std::int64_t d = 77;
  constexpr std::int64_t h = 93;
  const std::vector<float> x = normals_of<float>(n * d, 1);
  const std::vector<float> encoder = normals_of<float>(h * d, 2);
  const std::vector<float> bias = normals_of<float>(h, 3);
  const std::vector<float> all = run(*device_, n, d, h, 3, x, encoder, bias).z;
  for (const std::int64_t first : {std::int64_t{0}, encode_tile_rows, 2 * encode_tile_rows}) {
    for (const std::int64_t rows : {1, 7, 45}) {
      const std::vector<float> some(x.begin() + first * d, x.begin() + (first + rows) * d);
      const std::vector<float> z = run(*device_, rows, d, h, 3, some, encoder, bias).z;
      EXPECT_EQ(z, std::vector<float>(all.begin() + first * h, all.begin() + (first + rows) * h));
    }
  }
}

TEST_P(EncodeTopKOn, NanIsKeptAndSeen) {
  std::vector<float> encoder = normals_of<float>(60, 2);
  encoder[41] = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t keep : {1, 4, 40}) {
    const Encoded<float> encoded =
        run<float>(*device_, 1, 1, 60, keep, {1.0F}, encoder, std::vector<float>(60, 0));
    EXPECT_EQ(encoded.index[0], 41);
    EXPECT_FALSE(std::isfinite(encoded.value[0]));
  }
}

INCIPIT_ON_EVERY_DEVICE(EncodeTopKOn);

}  // namespace
}  // namespace incipit::device
