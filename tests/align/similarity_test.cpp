#include "align/similarity.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "data.hpp"
#include "error.hpp"

namespace incipit::align {
namespace {

using test::Matrix;
using test::noise;

std::vector<double> gram(const Matrix& x, bool centred) {
  std::vector<double> mean(static_cast<size_t>(x.d), 0.0), out;
  if (centred)
    for (int64_t i = 0; i < x.n; ++i)
      for (int64_t j = 0; j < x.d; ++j) mean[static_cast<size_t>(j)] += x.at(i, j) / static_cast<double>(x.n);
  for (int64_t a = 0; a < x.n; ++a)
    for (int64_t b = 0; b < x.n; ++b) {
      double sum = 0;
      for (int64_t j = 0; j < x.d; ++j)
        sum += (x.at(a, j) - mean[static_cast<size_t>(j)]) * (x.at(b, j) - mean[static_cast<size_t>(j)]);
      out.push_back(sum);
    }
  return out;
}

/// The estimator as Song et al. write it, on uncentred Gram matrices.
double hsic(std::vector<double> k, std::vector<double> l, int64_t n) {
  for (int64_t i = 0; i < n; ++i) k[static_cast<size_t>(i * n + i)] = l[static_cast<size_t>(i * n + i)] = 0;
  double trace = 0, sum_k = 0, sum_l = 0, product = 0;
  for (int64_t i = 0; i < n; ++i) {
    double row_k = 0, row_l = 0;
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(i * n + j);
      trace += k[at] * l[at];
      row_k += k[at];
      row_l += l[at];
    }
    sum_k += row_k;
    sum_l += row_l;
    product += row_k * row_l;
  }
  const auto m = static_cast<double>(n);
  return (trace + sum_k * sum_l / ((m - 1) * (m - 2)) - 2 / (m - 2) * product) / (m * (m - 3));
}

double plain_biased(const Matrix& x, const Matrix& y) {
  const auto k = gram(x, true), l = gram(y, true);
  double kl = 0, kk = 0, ll = 0;
  for (size_t i = 0; i < k.size(); ++i) {
    kl += k[i] * l[i];
    kk += k[i] * k[i];
    ll += l[i] * l[i];
  }
  return kl / std::sqrt(kk * ll);
}

TEST(Cka, EqualsTheDefinitionOnGramMatrices) {
  for (const auto& [n, dx, dy] : {std::array<int64_t, 3>{4, 1, 2}, {37, 5, 50}, {60, 8, 8}}) {
    const Matrix x = noise(n, dx, 10);
    Matrix y = noise(n, dy, 11);
    for (int64_t i = 0; i < n; ++i)
      y.data[static_cast<size_t>(i * dy)] += static_cast<float>(2 * x.at(i, 0)) + 3;
    const auto k = gram(x, false), l = gram(y, false);
    const Cka found = cka(test::host(), x.rows(), y.rows());
    const double own = hsic(k, k, n) * hsic(l, l, n);
    if (own > 0) {
      EXPECT_NEAR(found.unbiased, hsic(k, l, n) / std::sqrt(own), 1e-9);
    }
    EXPECT_NEAR(found.biased, plain_biased(x, y), 1e-10);
  }
}

TEST(Cka, OfTurnedRowsIsOne) {
  const Matrix x = noise(80, 12, 12), y = test::turned(x, test::rotation(12, 1), 12, 3.0, 5.0);
  const Cka found = cka(test::host(), x.rows(), y.rows());
  EXPECT_NEAR(found.unbiased, 1, 1e-5);
  EXPECT_NEAR(found.biased, 1, 1e-5);
}

TEST(Cka, OfIndependentNoiseIsAsStated) {
  const int64_t n = 300, d1 = 60, d2 = 90;
  const Cka found = cka(test::host(), noise(n, d1, 13).rows(), noise(n, d2, 14).rows());
  const double stated = std::sqrt(double(d1) * double(d2) / (double(n + d1) * double(n + d2)));
  EXPECT_NEAR(found.biased, stated, 0.02);
  EXPECT_NEAR(found.unbiased, 0, 0.02);
}

TEST(Cka, WithoutVarianceOrRowsIsNan) {
  Matrix same{6, 2, std::vector<float>(12, 0.3F)};
  EXPECT_TRUE(std::isnan(cka(test::host(), same.rows(), noise(6, 3, 15).rows()).unbiased));
  EXPECT_TRUE(std::isnan(cka(test::host(), noise(3, 2, 16).rows(), noise(3, 2, 17).rows()).biased));
  EXPECT_THROW((void)cka(test::host(), noise(5, 2, 16).rows(), noise(6, 2, 17).rows()), Error);
}

double plain_correlation(const Matrix& x, const Matrix& y, const std::vector<int32_t>& group) {
  const auto k = gram(x, true), l = gram(y, true);
  std::vector<double> a, b;
  const auto cosine = [&](const std::vector<double>& g, int64_t i, int64_t j) {
    return g[static_cast<size_t>(i * x.n + j)] /
           std::sqrt(g[static_cast<size_t>(i * x.n + i)] * g[static_cast<size_t>(j * x.n + j)]);
  };
  for (int64_t i = 0; i < x.n; ++i)
    for (int64_t j = i + 1; j < x.n; ++j)
      if (group[static_cast<size_t>(i)] != group[static_cast<size_t>(j)]) {
        a.push_back(cosine(k, i, j));
        b.push_back(cosine(l, i, j));
      }
  double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ma += a[i] / static_cast<double>(a.size());
    mb += b[i] / static_cast<double>(a.size());
  }
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

TEST(CosineCorrelation, EqualsThePlainLoopsAndLeavesGroupsOut) {
  for (const int64_t n : {5, 64, 301}) {
    const Matrix x = noise(n, 7, 20);
    Matrix y = noise(n, 11, 21);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < 7; ++j)
        y.data[static_cast<size_t>(i * 11 + j)] += static_cast<float>(1.5 * x.at(i, j));
    const auto group = test::groups_of(n, 3);
    EXPECT_NEAR(cosine_correlation(x.rows(), y.rows(), group, 1), plain_correlation(x, y, group), 1e-10);
  }
}

TEST(CosineCorrelation, OfALargeSetIsThatOfAFixedSample) {
  const int64_t n = largest_sample + 300;
  const Matrix x = noise(n, 6, 22);
  Matrix y = noise(n, 6, 23, 0.5);
  for (size_t i = 0; i < y.data.size(); ++i) y.data[i] += x.data[i];
  const auto group = test::groups_of(n, 1);
  const double found = cosine_correlation(x.rows(), y.rows(), group, 1);
  EXPECT_NEAR(found, plain_correlation(x, y, group), 0.02);
  EXPECT_EQ(found, cosine_correlation(x.rows(), y.rows(), group, 1));
  EXPECT_NE(found, cosine_correlation(x.rows(), y.rows(), group, 2));
}

TEST(CosineCorrelation, WithoutPairsOrSpreadIsNan) {
  const Matrix x = noise(8, 3, 24);
  EXPECT_TRUE(std::isnan(cosine_correlation(x.rows(), x.rows(), test::groups_of(8, 8), 1)));
  const Matrix same{8, 3, std::vector<float>(24, 2.5F)};
  EXPECT_TRUE(std::isnan(cosine_correlation(x.rows(), same.rows(), test::groups_of(8, 1), 1)));
}

TEST(EffectiveRank, CountsEqualValues) {
  EXPECT_NEAR(effective_rank(std::vector<double>{2, 2, 2, 2, 0}), 4, 1e-12);
  EXPECT_NEAR(effective_rank(std::vector<double>{1}), 1, 1e-12);
  EXPECT_EQ(effective_rank(std::vector<double>{}), 0);
}

}  // namespace
}  // namespace incipit::align
