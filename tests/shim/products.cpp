// What kernels/products.cu is to a device: dense products, here by plain loops in the order of the
// definition.

#include "products.cuh"

#include <vector>

namespace incipit::device::cuda {

struct Products::Library {};

Products::Products() = default;
Products::~Products() = default;

std::string Products::version() const {
  return "plain loops";
}

std::vector<std::string> Products::choices() const {
  return {};
}

namespace {

template <class T>
auto value(T x) {
  if constexpr (Number<T>) {
    return to_float(x);
  } else {
    return x;
  }
}

template <class T, class Result>
void multiply(const MatrixProduct<T, Result>& p) {
  using Scalar = typename MatrixProduct<T, Result>::Scalar;
  std::vector<Scalar> sums(static_cast<std::size_t>(p.n));
  for (std::int64_t i = 0; i < p.m; ++i) {
    Result* c = p.c + i * p.ldc;
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] = p.beta == 0 ? Scalar{0} : p.beta * value(c[j]);
    for (std::int64_t l = 0; l < p.k; ++l) {
      const Scalar a = p.alpha * value(p.a[p.transpose_a ? l * p.lda + i : i * p.lda + l]);
      const T* b = p.transpose_b ? p.b + l : p.b + l * p.ldb;
      const std::int64_t step = p.transpose_b ? p.ldb : 1;
      for (std::int64_t j = 0; j < p.n; ++j) sums[static_cast<std::size_t>(j)] += a * value(b[j * step]);
    }
    for (std::size_t j = 0; j < sums.size(); ++j) {
      if constexpr (std::same_as<Result, double>) {
        c[j] = sums[j];
      } else {
        c[j] = round_to<Result>(sums[j]);
      }
    }
  }
}

}  // namespace

void Products::run(const MatrixProduct<float>& product, const Call& /*call*/) {
  multiply(product);
}
void Products::run(const MatrixProduct<double>& product, const Call& /*call*/) {
  multiply(product);
}
void Products::run(const MatrixProduct<Float16>& product, const Call& /*call*/) {
  multiply(product);
}
void Products::run(const MatrixProduct<Float16, float>& product, const Call& /*call*/) {
  multiply(product);
}
void Products::run(const MatrixProduct<BFloat16>& product, const Call& /*call*/) {
  multiply(product);
}
void Products::run(const MatrixProduct<BFloat16, float>& product, const Call& /*call*/) {
  multiply(product);
}

}  // namespace incipit::device::cuda
