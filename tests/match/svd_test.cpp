#include "match/svd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "random.hpp"

namespace incipit::match {
namespace {

struct Dense {
  int64_t rows, columns;
  std::vector<double> value;
  double& at(int64_t i, int64_t j) { return value[static_cast<std::size_t>(i * columns + j)]; }
  [[nodiscard]] double at(int64_t i, int64_t j) const {
    return value[static_cast<std::size_t>(i * columns + j)];
  }
};

Dense random_sparse(int64_t rows, int64_t columns, double density, uint64_t seed) {
  Dense a{rows, columns, std::vector<double>(static_cast<std::size_t>(rows * columns))};
  Random random(seed, Purpose::test, 0);
  for (double& x : a.value) {
    if (random.uniform() < density) x = static_cast<double>(static_cast<float>(random.normal()));
  }
  return a;
}

SparseMatrix sparse(const Dense& a) {
  SparseMatrix s;
  s.columns = a.columns;
  for (int64_t i = 0; i < a.rows; ++i) {
    std::vector<int32_t> columns;
    std::vector<float> values;
    for (int64_t j = 0; j < a.columns; ++j) {
      if (a.at(i, j) == 0) continue;
      columns.push_back(static_cast<int32_t>(j));
      values.push_back(static_cast<float>(a.at(i, j)));
    }
    s.add_row(columns, values);
  }
  return s;
}

/// Singular values by one-sided Jacobi rotations, falling.
std::vector<double> jacobi(Dense a) {
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (int64_t p = 0; p < a.columns; ++p) {
      for (int64_t q = p + 1; q < a.columns; ++q) {
        double pp = 0, qq = 0, pq = 0;
        for (int64_t i = 0; i < a.rows; ++i) {
          pp += a.at(i, p) * a.at(i, p);
          qq += a.at(i, q) * a.at(i, q);
          pq += a.at(i, p) * a.at(i, q);
        }
        if (std::abs(pq) < 1e-300) continue;
        const double angle = 0.5 * std::atan2(2 * pq, pp - qq), c = std::cos(angle), s = std::sin(angle);
        for (int64_t i = 0; i < a.rows; ++i) {
          const double x = a.at(i, p), y = a.at(i, q);
          a.at(i, p) = c * x + s * y;
          a.at(i, q) = -s * x + c * y;
        }
      }
    }
  }
  std::vector<double> values;
  for (int64_t j = 0; j < a.columns; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < a.rows; ++i) sum += a.at(i, j) * a.at(i, j);
    values.push_back(std::sqrt(sum));
  }
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

TEST(Svd, ValuesAgreeWithJacobiAndVectorsAreSingular) {
  for (const auto& [rows, columns] :
       {std::pair<int64_t, int64_t>{1, 1}, {1, 7}, {9, 1}, {40, 25}, {25, 40}}) {
    const Dense a = random_sparse(rows, columns, 0.5, static_cast<uint64_t>(rows));
    if (std::all_of(a.value.begin(), a.value.end(), [](double x) { return x == 0; })) continue;
    const RightVectors svd = truncated_svd(sparse(a), 100, 1, 1);
    const std::vector<double> expected = jacobi(a);
    ASSERT_LE(svd.rank, std::min(rows, columns));
    for (int64_t k = 0; k < svd.rank; ++k) {
      EXPECT_NEAR(svd.value[static_cast<std::size_t>(k)], expected[static_cast<std::size_t>(k)],
                  1e-8 * expected[0]);
      // ‖A v‖ = σ, ‖v‖ = 1.
      double image = 0, norm = 0;
      for (int64_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < columns; ++j) {
          sum += a.at(i, j) * svd.vector[static_cast<std::size_t>(j * svd.rank + k)];
        }
        image += sum * sum;
      }
      for (int64_t j = 0; j < columns; ++j)
        norm += std::pow(svd.vector[static_cast<std::size_t>(j * svd.rank + k)], 2);
      EXPECT_NEAR(norm, 1, 1e-9);
      EXPECT_NEAR(std::sqrt(image), svd.value[static_cast<std::size_t>(k)], 1e-8 * expected[0]);
    }
    // What is not there is small.
    for (std::size_t k = static_cast<std::size_t>(svd.rank); k < expected.size(); ++k) {
      EXPECT_LE(expected[k], 2e-6 * expected[0]);
    }
  }
}

TEST(Svd, LeadingValuesOfALargerMatrixAreFound) {
  // Three strong directions above noise.
  Dense a = random_sparse(300, 120, 0.1, 5);
  for (double& x : a.value) x *= 0.05;
  for (int64_t i = 0; i < 300; ++i) {
    for (int64_t j = 0; j < 120; ++j) {
      if (j % 3 == i % 3)
        a.at(i, j) =
            static_cast<double>(static_cast<float>(a.at(i, j) + 1.0 + 0.3 * static_cast<double>(i % 3)));
    }
  }
  const RightVectors svd = truncated_svd(sparse(a), 3, 1, 2);
  const std::vector<double> expected = jacobi(a);
  ASSERT_EQ(svd.rank, 3);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(svd.value[k], expected[k], 1e-8 * expected[0]);
}

TEST(Svd, DoesNotHangOnThreads) {
  const SparseMatrix a = sparse(random_sparse(90, 70, 0.2, 8));
  const RightVectors one = truncated_svd(a, 10, 1, 1), three = truncated_svd(a, 10, 1, 3);
  EXPECT_EQ(one.value, three.value);
  EXPECT_EQ(one.vector, three.vector);
}

TEST(Svd, OfNothingIsNothing) {
  SparseMatrix empty;
  EXPECT_EQ(truncated_svd(empty, 5, 1, 1).rank, 0);
  empty.columns = 4;
  empty.add_row({}, {});
  EXPECT_EQ(truncated_svd(empty, 5, 1, 1).rank, 0);
}

TEST(Svd, TransposingTwiceIsTheSame) {
  const SparseMatrix a = sparse(random_sparse(13, 29, 0.3, 2));
  const SparseMatrix b = a.transposed().transposed();
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.column, b.column);
  EXPECT_EQ(a.value, b.value);
}

}  // namespace
}  // namespace incipit::match
