#include "device/host/gemm.hpp"

#include <algorithm>

extern "C" void dgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                       const int* k, const double* alpha, const double* a, const int* lda, const double* b,
                       const int* ldb, const double* beta, double* c, const int* ldc);

namespace incipit::device::host {

void gemm(Transpose a_as, Transpose b_as, std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
          const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double beta, double* c,
          std::int64_t ldc) {
  // As in sgemm: row-major C = A·B is column-major Cᵀ = Bᵀ·Aᵀ, and no leading dimension is 0.
  const char transpose_first = b_as == Transpose::yes ? 'T' : 'N';
  const char transpose_second = a_as == Transpose::yes ? 'T' : 'N';
  const int rows = static_cast<int>(n);
  const int columns = static_cast<int>(m);
  const int inner = static_cast<int>(k);
  const int ld_first = static_cast<int>(std::max<std::int64_t>(ldb, 1));
  const int ld_second = static_cast<int>(std::max<std::int64_t>(lda, 1));
  const int ld_out = static_cast<int>(std::max<std::int64_t>(ldc, 1));
  dgemm_(&transpose_first, &transpose_second, &rows, &columns, &inner, &alpha, b, &ld_first, a, &ld_second,
         &beta, c, &ld_out);
}

}  // namespace incipit::device::host
