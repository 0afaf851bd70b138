#include "align/polar.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "../device/every_device.hpp"
#include "../device/exact.hpp"
#include "error.hpp"

namespace incipit::align {
namespace {

namespace dense = device::exact;

/// C of known singular values, and the factor that it must have.
struct Known {
  Known(int64_t m, int64_t n, const std::vector<double>& values, uint64_t stream)
      : left(dense::orthonormal(m, static_cast<int64_t>(values.size()), stream)),
        right(dense::orthonormal(n, static_cast<int64_t>(values.size()), stream + 1)),
        c(dense::product(left, values, right)),
        factor(dense::times(left, dense::transposed(right))) {}

  dense::Matrix left, right, c, factor;
};

/// `count` singular values from `largest` down to largest/condition, evenly in their logarithm.
std::vector<double> decaying(int64_t count, double condition, double largest) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(
        largest *
        std::pow(condition, count == 1 ? 0 : -static_cast<double>(i) / static_cast<double>(count - 1)));
  return values;
}

struct Found {
  Polar polar;
  dense::Matrix factor;
};

Found polar_of(device::Device& device, const dense::Matrix& c) {
  const device::Buffer<double> on_device(device, std::span<const double>(c.values));
  Polar made = polar(device, on_device, c.m, c.n);
  dense::Matrix factor(c.m, c.n, made.factor.download());
  return {std::move(made), std::move(factor)};
}

class PolarOn : public device::OnEveryDevice {};

constexpr double epsilon_of_tests = std::numeric_limits<double>::epsilon();

TEST_P(PolarOn, OfKnownConditionsIsTheKnownFactor) {
  for (const auto& [m, n] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 9}, {9, 1}, {2, 2}, {33, 33}, {70, 31}, {31, 70}, {90, 90}}) {
    const int64_t p = std::min(m, n);
    for (const double condition : {1.0, 1e2, 1e6}) {
      for (const double largest : {1.0, 3e5, 1e-9}) {
        SCOPED_TRACE(testing::Message() << m << " x " << n << ", " << condition << ", " << largest);
        const Known known(m, n, decaying(p, condition, largest), 10);
        const Found found = polar_of(*device_, known.c);
        EXPECT_FALSE(found.polar.fallback);
        EXPECT_EQ(found.polar.rank, p);
        EXPECT_LE(found.polar.steps, 32);
        EXPECT_LE(found.polar.residual, 1e-14 * static_cast<double>(std::max(m, n)));
        EXPECT_LE(found.polar.asymmetry, 1e-14 * static_cast<double>(std::max(m, n)));
        // C is known to the rounding of its largest singular value, its factor to that over the least.
        EXPECT_LE(dense::distance(found.factor, known.factor),
                  32 * epsilon_of_tests * condition * static_cast<double>(std::max(m, n)));
      }
    }
  }
}

TEST_P(PolarOn, OfADeficientMatrixIsLeftToTheDecomposition) {
  for (const auto& [m, n] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{24, 24}, {40, 17}, {17, 40}}) {
    const Known known(m, n, decaying(9, 10.0, 5.0), 20);
    const Found found = polar_of(*device_, known.c);
    EXPECT_TRUE(found.polar.fallback);
    EXPECT_EQ(found.polar.rank, 9);
    EXPECT_GT(found.polar.residual, 0.5);
    EXPECT_LE(dense::distance(found.factor, known.factor), 1e-12);
  }
}

TEST_P(PolarOn, OfATooIllConditionedMatrixIsLeftToTheDecomposition) {
  const Known known(30, 30, decaying(30, 1e10, 1.0), 30);
  const Found found = polar_of(*device_, known.c);
  EXPECT_TRUE(found.polar.fallback);
  EXPECT_EQ(found.polar.rank, 30);
  EXPECT_LE(dense::distance(dense::times(dense::transposed(found.factor), found.factor), dense::identity(30)),
            1e-12);
}

TEST_P(PolarOn, OfRepeatedRowsAndOfZeroIsOfTheirRank) {
  dense::Matrix repeated = dense::noise(20, 12, 40);
  for (int64_t i = 1; i < repeated.m; ++i)
    for (int64_t j = 0; j < repeated.n; ++j) repeated(i, j) = repeated(0, j);
  const Found one = polar_of(*device_, repeated);
  EXPECT_TRUE(one.polar.fallback);
  EXPECT_EQ(one.polar.rank, 1);
  EXPECT_NEAR(dense::norm(one.factor), 1.0, 1e-12);
  const Found none = polar_of(*device_, dense::Matrix(5, 7));
  EXPECT_TRUE(none.polar.fallback);
  EXPECT_EQ(none.polar.rank, 0);
  EXPECT_TRUE(std::isnan(none.polar.residual));
  EXPECT_EQ(dense::norm(none.factor), 0);
}

TEST_P(PolarOn, RefusesWhatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    dense::Matrix c = dense::noise(9, 9, 50);
    c(8, 3) = bad;
    try {
      (void)polar_of(*device_, c);
      FAIL() << bad << " passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::numbers);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, PolarOn, testing::ValuesIn(device::every_device()), device::candidate_name);

}  // namespace
}  // namespace incipit::align
