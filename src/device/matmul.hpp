#pragma once

#include <cstdint>

namespace incipit::device {

/// C = alpha · op(A) · op(B) + beta · C, everything row-major; T is float or double.
///
/// op(A) is m×k: A itself with rows `lda` apart, or with `transpose_a` a stored k×m matrix. op(B) is k×n
/// likewise. With beta = 0 what C holds is not read. The sums are taken in an order that is a function of the
/// shape alone, so the result does not depend on how many threads run.
template <class T>
struct MatrixProduct {
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

/// The forward pass needs fp32.
using Matmul = MatrixProduct<float>;

}  // namespace incipit::device
