// C = alpha · op(A) · op(B) + beta · C: checks, and the library's product (products.cu).

#include "cuda_device.hpp"
#include "device/matmul.hpp"
#include "error.hpp"
#include "products.cuh"

namespace incipit::device {
namespace {

bool sensible(const Matmul& op) {
  return op.m >= 0 && op.n >= 0 && op.k >= 0 && op.lda >= (op.transpose_a ? op.m : op.k) &&
         op.ldb >= (op.transpose_b ? op.k : op.n) && op.ldc >= op.n;
}

}  // namespace

void CudaDevice::matmul(const Matmul& op) {
  const cuda::Call call = begin("matmul", {op.m, op.k, op.n});
  if (!sensible(op)) {
    throw Error(Exit::defect, cuda::describe(call) + " with strides " + std::to_string(op.lda) + ", " +
                                  std::to_string(op.ldb) + ", " + std::to_string(op.ldc));
  }
  products_->run(op, call);
}

}  // namespace incipit::device
