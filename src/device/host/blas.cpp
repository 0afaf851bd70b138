#include "device/host/blas.hpp"

#include <dlfcn.h>

#include <algorithm>

// The Fortran interface is the one that every BLAS has.
extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                       const int* k, const float* alpha, const float* a, const int* lda, const float* b,
                       const int* ldb, const float* beta, float* c, const int* ldc);

namespace incipit::device::host {
namespace {

// Which library answers is decided when the program is loaded (Debian's alternatives, module systems),
// so it is asked then and not at configure time.
template <class Function>
Function* symbol(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void set_blas_single_threaded() {
  if (auto* openblas = symbol<void(int)>("openblas_set_num_threads")) openblas(1);
  if (auto* mkl = symbol<void(int)>("MKL_Set_Num_Threads")) mkl(1);
  if (auto* blis = symbol<void(long)>("bli_thread_set_num_threads")) blis(1);
}

std::string blas_version() {
  if (auto* openblas = symbol<const char*()>("openblas_get_config")) return openblas();
  if (auto* mkl = symbol<void(char*, int)>("MKL_Get_Version_String")) {
    std::string text(200, '\0');
    mkl(text.data(), static_cast<int>(text.size()));
    text.resize(text.find_last_not_of(std::string(" \0", 2)) + 1);
    return text;
  }
  if (auto* blis = symbol<const char*()>("bli_info_get_version_str")) return std::string("BLIS ") + blis();
  return "BLAS of unknown make";
}

void sgemm(const Matmul& op) {
  // Row-major C = A·B is column-major Cᵀ = Bᵀ·Aᵀ. A leading dimension must be at least 1 even where it is
  // never used.
  const char transpose_a = op.transpose_b ? 'T' : 'N';
  const char transpose_b = op.transpose_a ? 'T' : 'N';
  const int m = static_cast<int>(op.n);
  const int n = static_cast<int>(op.m);
  const int k = static_cast<int>(op.k);
  const int lda = static_cast<int>(std::max<std::int64_t>(op.ldb, 1));
  const int ldb = static_cast<int>(std::max<std::int64_t>(op.lda, 1));
  const int ldc = static_cast<int>(std::max<std::int64_t>(op.ldc, 1));
  sgemm_(&transpose_a, &transpose_b, &m, &n, &k, &op.alpha, op.b, &lda, op.a, &ldb, &op.beta, op.c, &ldc);
}

}  // namespace incipit::device::host
