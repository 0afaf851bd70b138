#include "device/qr_of_transpose.hpp"

#include <limits>

#include "error.hpp"
#include "every_device.hpp"
#include "exact.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

using exact::Matrix;

struct Parts {
  Matrix q, r;
};

Parts decompose(Device& device, const Matrix& rows) {
  Buffer<double> q(device, std::span<const double>(rows.values));
  Buffer<double> r(device, static_cast<std::size_t>(rows.m * rows.m));
  device.qr_of_transpose({.n = rows.m, .d = rows.n, .rows = q.data(), .r = r.data()});
  return {{rows.m, rows.n, q.download()}, {rows.m, rows.m, r.download()}};
}

void expect_decomposition(const Parts& parts, const Matrix& rows) {
  const double rounding = 1e-14 * static_cast<double>(rows.n);
  EXPECT_LE(exact::distance(exact::times(parts.q, exact::transposed(parts.q)), exact::identity(rows.m)),
            rounding);
  EXPECT_LE(exact::distance(exact::times(exact::transposed(parts.r), parts.q), rows),
            rounding * exact::norm(rows));
  for (std::int64_t i = 0; i < rows.m; ++i)
    for (std::int64_t j = 0; j < i; ++j) ASSERT_EQ(parts.r(i, j), 0);
}

class QrOfTransposeOn : public OnEveryDevice {};

TEST_P(QrOfTransposeOn, TakesRandomRowsApart) {
  for (const auto& [n, d] : std::initializer_list<std::pair<std::int64_t, std::int64_t>>{
           {1, 1}, {1, 9}, {2, 3}, {31, 33}, {64, 64}, {7, 300}, {129, 257}, {300, 301}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << d);
    const Matrix rows = exact::noise(n, d, static_cast<std::uint64_t>(n * 1000 + d));
    expect_decomposition(decompose(*device_, rows), rows);
  }
}

TEST_P(QrOfTransposeOn, TakesDeficientRowsApart) {
  const Matrix flat = exact::times(exact::noise(30, 4, 1), exact::noise(4, 50, 2));
  Matrix repeated = exact::noise(24, 40, 3);
  for (std::int64_t i = 1; i < repeated.m; ++i)
    for (std::int64_t j = 0; j < repeated.n; ++j) repeated(i, j) = repeated(0, j);
  for (const Matrix& rows : {flat, repeated, Matrix(5, 9), Matrix(1, 1)}) {
    SCOPED_TRACE(testing::Message() << rows.m << " x " << rows.n);
    expect_decomposition(decompose(*device_, rows), rows);
  }
}

TEST_P(QrOfTransposeOn, RefusesWhatIsNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Matrix rows = exact::noise(50, 70, 4);
    rows(49, 69) = bad;
    try {
      (void)decompose(*device_, rows);
      FAIL() << bad << " passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::numbers);
      EXPECT_NE(std::string(error.what()).find("qr_of_transpose of 50 x 70"), std::string::npos)
          << error.what();
    }
  }
}

TEST_P(QrOfTransposeOn, RefusesMoreRowsThanColumns) {
  try {
    (void)decompose(*device_, exact::noise(5, 4, 5));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::defect);
  }
}

INCIPIT_ON_EVERY_DEVICE(QrOfTransposeOn);

TEST(QrOfTranspose, SameBytesForAnyThreads) {
  const Matrix rows = exact::noise(90, 150, 6);
  expect_same_bytes_for_any_threads([&](Device& device) {
    Parts parts = decompose(device, rows);
    parts.q.values.insert(parts.q.values.end(), parts.r.values.begin(), parts.r.values.end());
    return parts.q.values;
  });
}

}  // namespace
}  // namespace incipit::device
