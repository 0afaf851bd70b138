// Dense products by cuBLAS, in the arithmetic of the operands: no TF32, no emulation, and one workspace of
// one size, so that the library's choice of algorithm and with it every sum is a function of the shape.

#include <cublas_v2.h>

#include <algorithm>

#include "error.hpp"
#include "products.cuh"

namespace incipit::device::cuda {
namespace {

/// What cuBLAS itself takes on Hopper; more than it wants elsewhere.
constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;

void check(cublasStatus_t status, const Call& call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_INVALID_VALUE ? Exit::defect : Exit::machine,
              describe(call) + ": cuBLAS answers " + cublasGetStatusString(status));
}

constexpr Call making{.operation = "preparing cuBLAS"};

/// A leading dimension must be at least 1 even where it is never used.
std::int64_t leading(std::int64_t stride) {
  return std::max<std::int64_t>(stride, 1);
}

}  // namespace

struct Products::Library {
  cublasHandle_t handle = nullptr;
  void* workspace = nullptr;
};

Products::Products(cudaStream_t stream) : library_(std::make_unique<Library>()) {
  check(cublasCreate(&library_->handle), making);
  check(cublasSetStream(library_->handle, stream), making);
  check(cudaMalloc(&library_->workspace, workspace_bytes), making);
  check(cublasSetWorkspace(library_->handle, library_->workspace, workspace_bytes), making);
  check(cublasSetMathMode(library_->handle, CUBLAS_PEDANTIC_MATH), making);
  check(cublasSetAtomicsMode(library_->handle, CUBLAS_ATOMICS_NOT_ALLOWED), making);
}

Products::~Products() {
  cublasDestroy(library_->handle);
  cudaFree(library_->workspace);
}

std::string Products::version() const {
  int version = 0;
  check(cublasGetVersion(library_->handle, &version), making);
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

namespace {

/// Row-major C = A·B is column-major Cᵀ = Bᵀ·Aᵀ.
template <class T>
constexpr cudaDataType type_of = std::same_as<T, Float16>    ? CUDA_R_16F
                                 : std::same_as<T, BFloat16> ? CUDA_R_16BF
                                 : std::same_as<T, double>   ? CUDA_R_64F
                                                             : CUDA_R_32F;

template <class T, class Result>
void multiply(cublasHandle_t handle, const MatrixProduct<T, Result>& p, cublasComputeType_t compute,
              const Call& call) {
  if (p.m == 0 || p.n == 0) return;
  // Operands of no elements may be null, which the library does not like.
  const void* a = p.k > 0 ? static_cast<const void*>(p.a) : p.c;
  const void* b = p.k > 0 ? static_cast<const void*>(p.b) : p.c;
  const auto as = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  check(cublasGemmEx_64(handle, as(p.transpose_b), as(p.transpose_a), p.n, p.m, p.k, &p.alpha, b, type_of<T>,
                        leading(p.ldb), a, type_of<T>, leading(p.lda), &p.beta, p.c, type_of<Result>,
                        leading(p.ldc), compute, CUBLAS_GEMM_DEFAULT),
        call);
  finish(call);
}

}  // namespace

void Products::run(const MatrixProduct<float>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_32F_PEDANTIC, call);
}
void Products::run(const MatrixProduct<double>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_64F_PEDANTIC, call);
}
void Products::run(const MatrixProduct<Float16>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_32F, call);
}
void Products::run(const MatrixProduct<Float16, float>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_32F, call);
}
void Products::run(const MatrixProduct<BFloat16>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_32F, call);
}
void Products::run(const MatrixProduct<BFloat16, float>& product, const Call& call) {
  multiply(library_->handle, product, CUBLAS_COMPUTE_32F, call);
}

}  // namespace incipit::device::cuda
