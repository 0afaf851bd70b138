#include "device/svd.hpp"

#include <limits>

#include "error.hpp"
#include "every_device.hpp"
#include "exact.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

using exact::Matrix;

struct SingularParts {
  Matrix u, s, vt;
};

SingularParts svd_of(Device& device, const Matrix& a) {
  Buffer<double> matrix(device, std::span<const double>(a.values));
  const std::int64_t p = std::min(a.m, a.n);
  Buffer<double> u(device, static_cast<std::size_t>(a.m * p));
  Buffer<double> s(device, static_cast<std::size_t>(p));
  Buffer<double> vt(device, static_cast<std::size_t>(p * a.n));
  device.svd({.m = a.m, .n = a.n, .a = matrix.data(), .u = u.data(), .s = s.data(), .vt = vt.data()});
  return {{a.m, p, u.download()}, {p, 1, s.download()}, {p, a.n, vt.download()}};
}

/// What any decomposition must be: orthonormal on both sides, descending, and the matrix itself.
void expect_svd(const SingularParts& parts, const Matrix& a) {
  const std::int64_t p = std::min(a.m, a.n);
  const double rounding = 1e-14 * static_cast<double>(std::max(a.m, a.n));
  const Matrix v = exact::transposed(parts.vt);
  EXPECT_LE(exact::distance(exact::times(exact::transposed(parts.u), parts.u), exact::identity(p)), rounding);
  EXPECT_LE(exact::distance(exact::times(parts.vt, v), exact::identity(p)), rounding);
  EXPECT_LE(exact::distance(exact::product(parts.u, parts.s.values, v), a), rounding * exact::norm(a));
  EXPECT_TRUE(std::is_sorted(parts.s.values.rbegin(), parts.s.values.rend()));
  EXPECT_TRUE(parts.s.values.empty() || parts.s.values.back() >= 0);
}

class SvdOn : public OnEveryDevice {};

TEST_P(SvdOn, TakesRandomMatricesApart) {
  for (const auto& [m, n] : std::initializer_list<std::pair<std::int64_t, std::int64_t>>{
           {1, 1}, {1, 9}, {9, 1}, {2, 3}, {31, 33}, {33, 31}, {64, 64}, {7, 300}, {300, 7}, {129, 257}}) {
    SCOPED_TRACE(testing::Message() << m << " x " << n);
    const Matrix a = exact::noise(m, n, static_cast<std::uint64_t>(m * 1000 + n));
    expect_svd(svd_of(*device_, a), a);
  }
}

TEST_P(SvdOn, FindsKnownSingularValues) {
  for (const auto& [m, n] :
       std::initializer_list<std::pair<std::int64_t, std::int64_t>>{{20, 12}, {12, 20}, {70, 70}}) {
    const std::int64_t p = std::min(m, n);
    std::vector<double> values;
    for (std::int64_t i = 0; i < p; ++i) values.push_back(std::pow(10.0, 3 - 0.5 * static_cast<double>(i)));
    const Matrix a = exact::product(exact::orthonormal(m, p, 1), values, exact::orthonormal(n, p, 2));
    const SingularParts parts = svd_of(*device_, a);
    for (std::int64_t i = 0; i < p; ++i)
      EXPECT_NEAR(parts.s.values[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(i)],
                  1e-13 * values.front());
  }
}

TEST_P(SvdOn, TakesDeficientMatricesApart) {
  const Matrix flat = exact::times(exact::noise(40, 5, 3), exact::noise(5, 60, 4));
  Matrix repeated = exact::noise(24, 10, 5);
  for (std::int64_t i = 1; i < repeated.m; ++i)
    for (std::int64_t j = 0; j < repeated.n; ++j) repeated(i, j) = repeated(0, j);
  Matrix holes = exact::noise(30, 30, 6);
  for (std::int64_t i = 0; i < 30; ++i) holes(i, 7) = holes(11, i) = 0;
  for (const Matrix& a : {flat, exact::transposed(flat), repeated, exact::transposed(repeated), holes}) {
    SCOPED_TRACE(testing::Message() << a.m << " x " << a.n);
    expect_svd(svd_of(*device_, a), a);
  }
  const SingularParts parts = svd_of(*device_, flat);
  EXPECT_GT(parts.s.values[4], 1.0);
  EXPECT_LT(parts.s.values[5], 1e-12);
}

TEST_P(SvdOn, TakesZeroApart) {
  for (const auto& [m, n] :
       std::initializer_list<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {6, 4}, {4, 6}}) {
    const Matrix zero(m, n);
    const SingularParts parts = svd_of(*device_, zero);
    expect_svd(parts, zero);
    EXPECT_EQ(exact::norm(parts.s), 0);
  }
}

TEST_P(SvdOn, RefusesWhatIsNotFinite) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    Matrix a = exact::noise(70, 50, 8);
    a(69, 49) = bad;
    try {
      (void)svd_of(*device_, a);
      FAIL() << bad << " passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::numbers);
      EXPECT_NE(std::string(error.what()).find("svd of 70 x 50"), std::string::npos) << error.what();
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(SvdOn);

TEST(Svd, SameBytesForAnyThreads) {
  const Matrix a = exact::noise(150, 90, 9);
  expect_same_bytes_for_any_threads([&](Device& device) {
    const SingularParts parts = svd_of(device, a);
    std::vector<double> all = parts.u.values;
    all.insert(all.end(), parts.s.values.begin(), parts.s.values.end());
    all.insert(all.end(), parts.vt.values.begin(), parts.vt.values.end());
    return all;
  });
}

}  // namespace
}  // namespace incipit::device
