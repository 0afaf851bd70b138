#pragma once

#include <cstdint>

#include "device/host/blas.hpp"

namespace incipit::device::host {

enum class Transpose : bool { no, yes };

/// One tile's product, C = alpha · op(A) · op(B) + beta · C, row-major, in the calling thread, for code that
/// is written for both precisions.
inline void gemm(Transpose a_as, Transpose b_as, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
                 std::int64_t ldc) {
  sgemm({.transpose_a = a_as == Transpose::yes,
         .transpose_b = b_as == Transpose::yes,
         .m = m,
         .n = n,
         .k = k,
         .alpha = alpha,
         .a = a,
         .lda = lda,
         .b = b,
         .ldb = ldb,
         .beta = beta,
         .c = c,
         .ldc = ldc});
}
void gemm(Transpose a_as, Transpose b_as, std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
          const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
          std::int64_t ldc);

}  // namespace incipit::device::host
