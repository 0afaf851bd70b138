// C = alpha · op(A) · op(B) + beta · C: checks, and the library's product (products.cu).

#include "cuda_device.hpp"
#include "device/matmul.hpp"
#include "error.hpp"
#include "products.cuh"

namespace incipit::device {
namespace {

template <class T, class Result>
bool sensible(const MatrixProduct<T, Result>& op) {
  return op.m >= 0 && op.n >= 0 && op.k >= 0 && op.lda >= (op.transpose_a ? op.m : op.k) &&
         op.ldb >= (op.transpose_b ? op.k : op.n) && op.ldc >= op.n;
}

template <class T, class Result>
void run(const MatrixProduct<T, Result>& op, cuda::Products& products, const cuda::Call& call) {
  if (!sensible(op)) {
    throw Error(Exit::defect, cuda::describe(call) + " with strides " + std::to_string(op.lda) + ", " +
                                  std::to_string(op.ldb) + ", " + std::to_string(op.ldc));
  }
  products.run(op, call);
}

}  // namespace

void CudaDevice::matmul(const MatrixProduct<float>& op) {
  run(op, *products_, begin("matmul", {op.m, op.k, op.n}));
}
void CudaDevice::matmul(const MatrixProduct<double>& op) {
  run(op, *products_, begin("matmul (fp64)", {op.m, op.k, op.n}));
}
void CudaDevice::matmul(const MatrixProduct<Float16>& op) {
  run(op, *products_, begin("matmul", {op.m, op.k, op.n}));
}
void CudaDevice::matmul(const MatrixProduct<Float16, float>& op) {
  run(op, *products_, begin("matmul", {op.m, op.k, op.n}));
}
void CudaDevice::matmul(const MatrixProduct<BFloat16>& op) {
  run(op, *products_, begin("matmul", {op.m, op.k, op.n}));
}
void CudaDevice::matmul(const MatrixProduct<BFloat16, float>& op) {
  run(op, *products_, begin("matmul", {op.m, op.k, op.n}));
}

}  // namespace incipit::device
