#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "launch.cuh"

namespace incipit::device::cuda {

/// C = alpha · op(A) · op(B) + beta · C as in device/matmul.hpp, for both precisions.
template <class T>
struct Product {
  bool transpose_a = false;
  bool transpose_b = false;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  T alpha = 1;
  const T* a = nullptr;
  std::int64_t lda = 0;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  T beta = 0;
  T* c = nullptr;
  std::int64_t ldc = 0;
};

/// Dense products by cuBLAS; on the host's shim by plain loops. The only code that knows the library.
class Products {
 public:
  explicit Products(cudaStream_t stream);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  void run(const Product<float>& product, const Call& call);
  void run(const Product<double>& product, const Call& call);
  [[nodiscard]] std::string version() const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace incipit::device::cuda
