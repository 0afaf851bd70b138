#include "align/linear_algebra.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "align/folds.hpp"
#include "data.hpp"
#include "error.hpp"

namespace incipit::align {
namespace {

using test::host;
using test::noise;

std::vector<double> doubles(const test::Matrix& x) {
  return {x.data.begin(), x.data.end()};
}

struct Shape {
  int64_t n, dx, dy;
};

class CrossProduct : public ::testing::TestWithParam<Shape> {};

TEST_P(CrossProduct, EqualsThePlainSum) {
  const auto [n, dx, dy] = GetParam();
  const auto x = noise(n, dx, 1), y = noise(n, dy, 2);
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; i += 2) index.push_back(i);
  const auto mx = column_means(x.rows(), index), my = column_means(y.rows(), index);
  const auto c = cross_product({x.rows(), index, mx}, {y.rows(), index, my});
  ASSERT_EQ(c.size(), static_cast<size_t>(dx * dy));
  EXPECT_EQ(c, cross_product(host(), {x.rows(), index, mx}, {y.rows(), index, my}));
  for (int64_t a = 0; a < dx; ++a)
    for (int64_t b = 0; b < dy; ++b) {
      double sum = 0;
      for (const int64_t i : index)
        sum += (x.at(i, a) - mx[static_cast<size_t>(a)]) * (y.at(i, b) - my[static_cast<size_t>(b)]);
      ASSERT_NEAR(c[static_cast<size_t>(a * dy + b)], sum, 1e-9 * static_cast<double>(n));
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, CrossProduct,
                         ::testing::Values(Shape{1, 1, 1}, Shape{7, 3, 5}, Shape{300, 17, 4},
                                           Shape{523, 5, 600}));

class Decomposition : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(Decomposition, SvdGivesTheMatrixBack) {
  const auto [m, n] = GetParam();
  const auto a = doubles(noise(m, n, 3));
  const Svd parts = svd(host(), {host(), a}, m, n);
  EXPECT_TRUE(std::is_sorted(parts.s.rbegin(), parts.s.rend()));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < parts.p; ++k)
        sum += parts.u[static_cast<size_t>(i * parts.p + k)] * parts.s[static_cast<size_t>(k)] *
               parts.vt[static_cast<size_t>(k * n + j)];
      ASSERT_NEAR(sum, a[static_cast<size_t>(i * n + j)], 1e-11);
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Decomposition,
                         ::testing::Values(std::pair<int64_t, int64_t>{1, 1},
                                           std::pair<int64_t, int64_t>{9, 4},
                                           std::pair<int64_t, int64_t>{5, 31},
                                           std::pair<int64_t, int64_t>{40, 40}));

TEST(Qr, GivesTheTransposeBackWithOrthonormalRows) {
  const int64_t n = 13, d = 29;
  const auto a = doubles(noise(n, d, 4));
  const Qr made = qr_of_transpose(host(), a, n, d);
  const struct { std::vector<double> q, r; } qr{made.q.download(), made.r.download()};
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < n; ++k) {
      double dot = 0;
      for (int64_t j = 0; j < d; ++j)
        dot += qr.q[static_cast<size_t>(i * d + j)] * qr.q[static_cast<size_t>(k * d + j)];
      ASSERT_NEAR(dot, i == k ? 1.0 : 0.0, 1e-12);
    }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < n; ++k)
        sum += qr.r[static_cast<size_t>(k * n + i)] * qr.q[static_cast<size_t>(k * d + j)];
      ASSERT_NEAR(sum, a[static_cast<size_t>(i * d + j)], 1e-12);
    }
}

TEST(SolvePositive, SolvesAndRefuses) {
  const std::vector<double> a = {4, 1, 1, 3};
  std::vector<double> b = {9, 1, 7, 2};
  ASSERT_TRUE(solve_positive(a, 2, b, 2));
  const double expected[] = {20.0 / 11, 1.0 / 11, 19.0 / 11, 7.0 / 11};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(b[i], expected[i], 1e-13);
  EXPECT_FALSE(solve_positive({1, 2, 2, 1}, 2, b, 2));
}

TEST(Centred, EqualRowsHaveNoSquares) {
  test::Matrix x{1000, 3, {}};
  for (int i = 0; i < 1000; ++i) x.data.insert(x.data.end(), {0.1F, -7.3F, 1e4F});
  const auto mean = column_means(x.rows());
  EXPECT_EQ((Centred{x.rows(), {}, mean}.squares()), 0.0);
  x.data[0] = 0.1000001F;
  const auto other = column_means(x.rows());
  EXPECT_GT((Centred{x.rows(), {}, other}.squares()), 0.0);
}

TEST(ColumnMeans, RefuseWhatIsNotFinite) {
  test::Matrix x = noise(4, 3, 5);
  x.data[7] = std::numeric_limits<float>::quiet_NaN();
  try {
    (void)column_means(x.rows());
    FAIL() << "NaN passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::numbers);
  }
}

TEST(GroupFolds, KeepGroupsWholeAndBalanced) {
  const auto group = test::groups_of(1000, 10);
  const auto fold = group_folds(group, 4, 7);
  std::vector<int> groups_in(4, 0);
  for (size_t i = 0; i < fold.size(); ++i) {
    ASSERT_EQ(fold[i], fold[i / 10 * 10]);
    if (i % 10 == 0) ++groups_in[static_cast<size_t>(fold[i])];
  }
  EXPECT_EQ(groups_in, (std::vector<int>{25, 25, 25, 25}));
  EXPECT_EQ(fold, group_folds(group, 4, 7));
  EXPECT_NE(fold, group_folds(group, 4, 8));
}

}  // namespace
}  // namespace incipit::align
