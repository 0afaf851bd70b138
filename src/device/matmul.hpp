#pragma once

#include <cstdint>

namespace incipit::device {

/// C = alpha · op(A) · op(B) + beta · C, everything row-major, fp32.
///
/// op(A) is m×k: A itself with rows `lda` apart, or with `transpose_a` a stored k×m matrix. op(B) is k×n
/// likewise. With beta = 0 what C holds is not read. The sums are taken in an order that is a function of the
/// shape alone, so the result does not depend on how many threads run.
struct Matmul {
  bool transpose_a = false;
  bool transpose_b = false;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  float alpha = 1.0F;
  const float* a = nullptr;
  std::int64_t lda = 0;
  const float* b = nullptr;
  std::int64_t ldb = 0;
  float beta = 0.0F;
  float* c = nullptr;
  std::int64_t ldc = 0;
};

}  // namespace incipit::device
