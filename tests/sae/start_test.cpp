#include "sae/start.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "../support.hpp"
#include "error.hpp"
#include "random.hpp"
#include "sae/batches.hpp"
#include "sae/geometric_median.hpp"
#include "sae/normalisation.hpp"
#include "sae/options.hpp"
#include "sae/sae.hpp"

namespace incipit::sae {
namespace {

using test::code_of;

std::vector<float> normal_rows(std::int64_t n, std::int64_t d, std::uint64_t stream) {
  Random random(1, Purpose::test, stream);
  std::vector<float> rows(n * d);
  for (float& value : rows) value = static_cast<float>(random.normal());
  return rows;
}

double dot(const double* a, const double* b, std::int64_t d) {
  return std::inner_product(a, a + d, b, 0.0);
}

TEST(StartDirections, AreUnitVectorsFromTheSeed) {
  constexpr std::int64_t d = 17;
  const std::vector<float> u = normal_rows(50, d, 1);
  const std::vector<double> centre(d, 0.1);
  for (const char* init : {"data", "random"}) {
    for (const std::int64_t h : {1, 20, 80}) {
      const std::vector<double> rows = start_directions(u, centre, h, init, 5);
      ASSERT_EQ(rows.size(), static_cast<std::size_t>(h * d));
      for (std::int64_t j = 0; j < h; ++j) EXPECT_NEAR(dot(&rows[j * d], &rows[j * d], d), 1, 1e-12);
      EXPECT_EQ(rows, start_directions(u, centre, h, init, 5));
      EXPECT_NE(rows, start_directions(u, centre, h, init, 8));
    }
  }
}

TEST(StartDirections, DataAreDistinctProbesAndThenRandom) {
  // 40 probes, of which 7 are distinct; one lies on the centre and has no direction.
  constexpr std::int64_t d = 9;
  const std::vector<float> seven = normal_rows(7, d, 2);
  const std::vector<double> centre(seven.begin(), seven.begin() + d);
  std::vector<float> u;
  for (int i = 0; i < 40; ++i)
    u.insert(u.end(), seven.begin() + (i % 7) * d, seven.begin() + (i % 7 + 1) * d);
  const std::vector<double> rows = start_directions(u, centre, 10, "data", 1);
  std::vector<int> from(10, -1);
  for (std::int64_t j = 0; j < 10; ++j) {
    for (int i = 1; i < 7; ++i) {
      std::vector<double> probe(d);
      for (std::int64_t c = 0; c < d; ++c) probe[c] = static_cast<double>(seven[i * d + c]) - centre[c];
      if (dot(&rows[j * d], probe.data(), d) > (1 - 1e-6) * std::sqrt(dot(probe.data(), probe.data(), d)))
        from[j] = i;
    }
  }
  std::vector<int> chosen(from.begin(), from.begin() + 6);
  std::sort(chosen.begin(), chosen.end());
  EXPECT_EQ(chosen, (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(std::count(from.begin() + 6, from.end(), -1), 4);
}

TEST(StartDirections, FarApartMeansOneOfEachCluster) {
  constexpr std::int64_t d = 64;
  constexpr std::int64_t clusters = 12;
  const std::vector<float> centres = normal_rows(clusters, d, 3);
  const std::vector<float> noise = normal_rows(300, d, 4);
  std::vector<float> u(300 * d);
  for (std::int64_t i = 0; i < 300; ++i)
    for (std::int64_t c = 0; c < d; ++c)
      u[i * d + c] = centres[(i % clusters) * d + c] + 0.1F * noise[i * d + c];
  const std::vector<double> rows = start_directions(u, std::vector<double>(d, 0.0), clusters, "data", 1);
  std::vector<std::int64_t> nearest;
  for (std::int64_t j = 0; j < clusters; ++j) {
    std::vector<double> cosine;
    for (std::int64_t i = 0; i < clusters; ++i) {
      const std::vector<double> centre(centres.begin() + i * d, centres.begin() + (i + 1) * d);
      cosine.push_back(dot(&rows[j * d], centre.data(), d) / std::sqrt(dot(centre.data(), centre.data(), d)));
    }
    nearest.push_back(std::max_element(cosine.begin(), cosine.end()) - cosine.begin());
  }
  std::sort(nearest.begin(), nearest.end());
  for (std::int64_t i = 0; i < clusters; ++i) EXPECT_EQ(nearest[i], i);
}

TEST(GeometricMedian, HasNoForceLeft) {
  for (const std::int64_t n : {2, 3, 700}) {
    constexpr std::int64_t d = 11;
    std::vector<float> rows = normal_rows(n, d, 5);
    for (std::int64_t c = 0; c < d; ++c) rows[c] += 100;  // an outlier that would drag a mean along
    const std::vector<double> median = geometric_median(rows, d);
    std::vector<double> force(d, 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
      double distance = 0;
      for (std::int64_t c = 0; c < d; ++c)
        distance += std::pow(static_cast<double>(rows[i * d + c]) - median[c], 2);
      for (std::int64_t c = 0; c < d; ++c)
        force[c] += (static_cast<double>(rows[i * d + c]) - median[c]) / std::sqrt(distance);
    }
    EXPECT_LE(std::sqrt(dot(force.data(), force.data(), d)),
              n == 3 ? 1.0 + 1e-3 : 1e-2 * static_cast<double>(n))
        << n;
  }
}

TEST(GeometricMedian, StandsOnTheMajority) {
  // Seven of ten rows are one point: no pull of the other three can move it.
  std::vector<float> rows = normal_rows(10, 4, 6);
  for (std::int64_t i = 1; i < 7; ++i) std::copy_n(rows.begin(), 4, rows.begin() + i * 4);
  const std::vector<double> median = geometric_median(rows, 4);
  for (std::int64_t c = 0; c < 4; ++c) EXPECT_NEAR(median[c], static_cast<double>(rows[c]), 1e-4);
  const std::vector<float> same(12, 0.5F);
  EXPECT_EQ(geometric_median(same, 4), std::vector<double>(4, 0.5));
}

TEST(Normalisation, MeanZeroAndMeanSquareOne) {
  constexpr std::int64_t n = 1100;
  constexpr std::int64_t d = 13;
  std::vector<float> x = normal_rows(n, d, 7);
  for (std::int64_t i = 0; i < n * d; ++i) x[i] = 3 * x[i] + static_cast<float>(i % d);
  const Normalisation norm = normalisation(x, d);
  std::vector<float> u(x.size());
  normalise(x, norm.mean, norm.scale, u);
  double square = 0;
  std::vector<double> mean(d, 0.0);
  for (std::int64_t i = 0; i < n * d; ++i) {
    square += std::pow(static_cast<double>(u[i]), 2) / (n * d);
    mean[i % d] += static_cast<double>(u[i]) / n;
  }
  EXPECT_NEAR(square, 1, 1e-5);
  for (const double value : mean) EXPECT_NEAR(value, 0, 1e-5);
}

TEST(Normalisation, RefusesWhatCannotBeNormalised) {
  EXPECT_EQ(code_of([] { normalisation(std::vector<float>(4, 1.0F), 4); }), Exit::data);
  EXPECT_EQ(code_of([] { normalisation(std::vector<float>(12, 1.0F), 4); }), Exit::data);
  std::vector<float> bad = normal_rows(3, 4, 8);
  bad[7] = std::nanf("");
  EXPECT_EQ(code_of([&] { normalisation(bad, 4); }), Exit::numbers);
}

TEST(Batches, EachPassIsAPermutation) {
  for (const std::int64_t size : {1, 7, 10, 30, 64}) {
    constexpr std::int64_t n = 30;
    Batches batches(n, size, 3);
    EXPECT_EQ(batches.size(), std::min(size, n));
    std::vector<std::int32_t> seen;
    while (seen.size() < 4 * n) {
      const auto batch = batches.next();
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    for (std::int64_t pass = 0; pass < 4; ++pass) {
      std::vector<std::int32_t> part(seen.begin() + pass * n, seen.begin() + (pass + 1) * n);
      EXPECT_FALSE(std::is_sorted(part.begin(), part.end()));
      std::sort(part.begin(), part.end());
      for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(part[i], i);
    }
    EXPECT_FALSE(std::equal(seen.begin(), seen.begin() + n, seen.begin() + n));
  }
}

TEST(Options, OutOfRangeIsAUsageError) {
  EXPECT_NO_THROW(check(SaeOptions{}));
  EXPECT_NO_THROW(check({.latents = 4, .k = 4}));
  EXPECT_EQ(code_of([] { check({.latents = 4, .k = 5}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.latents = 0}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.k = 0}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.steps = 0}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.batch = 0}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.seeds = 0}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.init = "zeros"}); }), Exit::usage);
  EXPECT_EQ(code_of([] { check({.dead_after = -1}); }), Exit::usage);
}

}  // namespace
}  // namespace incipit::sae
