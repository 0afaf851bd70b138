// What kernels/products.cu is to a device: dense products, here by plain loops in the order of the
// definition.

#include "products.cuh"

namespace incipit::device::cuda {

struct Products::Library {};

Products::Products(cudaStream_t /*stream*/) {}
Products::~Products() = default;

std::string Products::version() const {
  return "plain loops";
}

namespace {

template <class T>
void multiply(const MatrixProduct<T>& p) {
  for (std::int64_t i = 0; i < p.m; ++i) {
    T* c = p.c + i * p.ldc;
    for (std::int64_t j = 0; j < p.n; ++j) c[j] = p.beta == 0 ? T{0} : p.beta * c[j];
    for (std::int64_t l = 0; l < p.k; ++l) {
      const T a = p.alpha * p.a[p.transpose_a ? l * p.lda + i : i * p.lda + l];
      const T* b = p.transpose_b ? p.b + l : p.b + l * p.ldb;
      const std::int64_t step = p.transpose_b ? p.ldb : 1;
      for (std::int64_t j = 0; j < p.n; ++j) c[j] += a * b[j * step];
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

}  // namespace incipit::device::cuda
