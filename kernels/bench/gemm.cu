// Square products by cuBLAS as it likes best: the ceilings of products.

#include <cublas_v2.h>

#include "ceilings.hpp"
#include "error.hpp"
#include "launch.cuh"

namespace incipit::device::bench {
namespace {

void check(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(Exit::machine,
                std::string("ceiling of products: cuBLAS answers ") + cublasGetStatusString(status));
}

struct Types {
  cudaDataType element;
  cublasComputeType_t compute;
};

Types types_of(Bound type) {
  switch (type) {
    case Bound::fp64:
      return {CUDA_R_64F, CUBLAS_COMPUTE_64F};
    case Bound::fp32:
      // Without TF32, as the suite computes.
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F_PEDANTIC};
    default:
      return {CUDA_R_16BF, CUBLAS_COMPUTE_32F};
  }
}

}  // namespace

struct Gemm::Library {
  cublasHandle_t handle = nullptr;
};

Gemm::Gemm(CudaDevice& device) : library_(std::make_unique<Library>()) {
  check(cublasCreate(&library_->handle));
  check(cublasSetStream(library_->handle, device.stream()));
}

Gemm::~Gemm() {
  cublasDestroy(library_->handle);
}

void Gemm::run(Bound type, int n, const void* a, const void* b, void* c) {
  const Types types = types_of(type);
  const float one = 1;
  const float zero = 0;
  const double one_double = 1;
  const double zero_double = 0;
  const void* alpha = type == Bound::fp64 ? static_cast<const void*>(&one_double) : &one;
  const void* beta = type == Bound::fp64 ? static_cast<const void*>(&zero_double) : &zero;
  check(cublasGemmEx(library_->handle, CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, alpha, b, types.element, n, a,
                     types.element, n, beta, c, types.element, n, types.compute, CUBLAS_GEMM_DEFAULT));
}

}  // namespace incipit::device::bench
