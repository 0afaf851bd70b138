#include "device/matmul.hpp"

#include <cmath>
#include <limits>

#include "error.hpp"
#include "numbers.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct ProductCase {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1, beta = 0;
  std::int64_t pad = 0;  ///< columns between the end of a row and the next
};

std::int64_t rows_a(const ProductCase& c) {
  return c.transpose_a ? c.k : c.m;
}
std::int64_t columns_a(const ProductCase& c) {
  return c.transpose_a ? c.m : c.k;
}
std::int64_t rows_b(const ProductCase& c) {
  return c.transpose_b ? c.n : c.k;
}
std::int64_t columns_b(const ProductCase& c) {
  return c.transpose_b ? c.k : c.n;
}

struct ProductProblem {
  explicit ProductProblem(const ProductCase& c)
      : a(normals(static_cast<std::size_t>(rows_a(c) * (columns_a(c) + c.pad)), 1)),
        b(normals(static_cast<std::size_t>(rows_b(c) * (columns_b(c) + c.pad)), 2)),
        c0(normals(static_cast<std::size_t>(c.m * (c.n + c.pad)), 3)) {}
  /// The same with what operands of T and a result of Result hold of it.
  template <Number T, Number Result>
  [[nodiscard]] ProductProblem in() const {
    ProductProblem copy = *this;
    copy.a = held<T>(a);
    copy.b = held<T>(b);
    copy.c0 = held<Result>(c0);
    return copy;
  }

  std::vector<float> a, b, c0;
};

template <Number T, Number Result>
std::vector<float> run(Device& device, const ProductCase& c, const ProductProblem& problem) {
  const Buffer<T> a = to_device<T>(device, problem.a);
  const Buffer<T> b = to_device<T>(device, problem.b);
  Buffer<Result> out = to_device<Result>(device, problem.c0);
  device.matmul(MatrixProduct<T, Result>{.transpose_a = c.transpose_a,
                                         .transpose_b = c.transpose_b,
                                         .m = c.m,
                                         .n = c.n,
                                         .k = c.k,
                                         .alpha = c.alpha,
                                         .a = a.data(),
                                         .lda = columns_a(c) + c.pad,
                                         .b = b.data(),
                                         .ldb = columns_b(c) + c.pad,
                                         .beta = c.beta,
                                         .c = out.data(),
                                         .ldc = c.n + c.pad});
  return from_device(out);
}

std::vector<double> reference(const ProductCase& c, const ProductProblem& problem) {
  std::vector<double> out(problem.c0.begin(), problem.c0.end());
  const auto a = [&](std::int64_t i, std::int64_t l) {
    return static_cast<double>(
        problem.a[static_cast<std::size_t>(c.transpose_a ? l * (c.m + c.pad) + i : i * (c.k + c.pad) + l)]);
  };
  const auto b = [&](std::int64_t l, std::int64_t j) {
    return static_cast<double>(
        problem.b[static_cast<std::size_t>(c.transpose_b ? j * (c.k + c.pad) + l : l * (c.n + c.pad) + j)]);
  };
  for (std::int64_t i = 0; i < c.m; ++i) {
    for (std::int64_t j = 0; j < c.n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < c.k; ++l) sum += a(i, l) * b(l, j);
      double& element = out[static_cast<std::size_t>(i * (c.n + c.pad) + j)];
      element = c.alpha * sum + (c.beta == 0 ? 0 : c.beta * element);
    }
  }
  return out;
}

/// test.operator()<T, Result>() for every product there is.
template <class Test>
void for_every_product(Test test) {
  for_every_number([&]<Number T>() { test.template operator()<T, T>(); });
  SCOPED_TRACE("fp32 result");
  test.template operator()<Float16, float>();
  test.template operator()<BFloat16, float>();
}

void expect_plain_loops(Device& device, const ProductCase& c, const ProductProblem& any, double fp32) {
  for_every_product([&]<Number T, Number Result>() {
    const ProductProblem problem = any.in<T, Result>();
    expect_near(run<T, Result>(device, c, problem), reference(c, problem), allowed<Result>(fp32));
  });
}

class MatmulOn : public OnEveryDevice {};

TEST_P(MatmulOn, AgreesWithPlainLoops) {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const ProductCase& shape : std::initializer_list<ProductCase>{{1, 1, 1},
                                                                         {1, 7, 3},
                                                                         {5, 1, 17},
                                                                         {33, 31, 1},
                                                                         {64, 96, 48},
                                                                         {127, 65, 129},
                                                                         {3, 1601, 11},
                                                                         {1201, 5, 40},
                                                                         {770, 1000, 13}}) {
        ProductCase c = shape;
        c.transpose_a = transpose_a;
        c.transpose_b = transpose_b;
        for (const auto& [alpha, beta, pad] : {std::tuple{1.0F, 0.0F, 0}, std::tuple{-0.5F, 2.0F, 3}}) {
          c.alpha = alpha;
          c.beta = beta;
          c.pad = pad;
          SCOPED_TRACE(testing::Message()
                       << c.m << "x" << c.n << "x" << c.k << " " << transpose_a << transpose_b);
          expect_plain_loops(*device_, c, ProductProblem(c), 1e-6);
        }
      }
    }
  }
}

TEST_P(MatmulOn, AgreesForLongSums) {
  ProductCase c{.m = 3, .n = 5, .k = 1500, .beta = 1};
  expect_plain_loops(*device_, c, ProductProblem(c), 2e-6);
  c.transpose_b = true;
  c.beta = 0;
  expect_plain_loops(*device_, c, ProductProblem(c), 2e-6);
}

TEST_P(MatmulOn, AccumulatesOverNothing) {
  const ProductCase c{.m = 3, .n = 4, .k = 0, .beta = 2};
  expect_plain_loops(*device_, c, ProductProblem(c), 1e-7);
}

TEST_P(MatmulOn, DoesNotReadTheResultWithoutBeta) {
  const ProductCase c{.m = 9, .n = 10, .k = 5};
  ProductProblem problem(c);
  problem.c0.assign(problem.c0.size(), std::numeric_limits<float>::quiet_NaN());
  expect_plain_loops(*device_, c, problem, 1e-6);
}

TEST_P(MatmulOn, LeavesOneChoicePerProblem) {
  ProductCase c{.m = 6, .n = 8, .k = 16};
  const auto choices_after = [&] {
    for_every_product([&]<Number T, Number Result>() { run<T, Result>(*device_, c, ProductProblem(c)); });
    return device_->choices();
  };
  const std::vector<std::string> once = choices_after();
  EXPECT_EQ(choices_after(), once);
  // Where a library chooses, it does so for each kind of product.
  EXPECT_TRUE(once.empty() || once.size() == 5) << once.size();
  c.m = 7;
  EXPECT_EQ(choices_after().size(), 2 * once.size());
}

TEST_P(MatmulOn, RefusesStridesShorterThanRows) {
  float x = 0;
  const Matmul op{.m = 2, .n = 2, .k = 2, .a = &x, .lda = 1, .b = &x, .ldb = 2, .c = &x, .ldc = 2};
  try {
    device_->matmul(op);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::defect);
  }
}

INCIPIT_ON_EVERY_DEVICE(MatmulOn);

TEST(Matmul, SameBytesForAnyThreads) {
  const ProductCase c{.m = 1100, .n = 900, .k = 130, .transpose_b = true, .beta = 1};
  const ProductProblem problem(c);
  for_every_product([&]<Number T, Number Result>() {
    expect_same_bytes_for_any_threads([&](Device& device) { return run<T, Result>(device, c, problem); });
  });
}

}  // namespace
}  // namespace incipit::device
