// a = u · diag(s) · vt: checks, and the library's decomposition (solver.cu) of whichever of a and aᵀ is tall
// to it. What is row-major here is the transpose there, so one of the two sides comes out as it is wanted.

#include "cuda_device.hpp"
#include "device/svd.hpp"
#include "finite.cuh"
#include "solver.cuh"
#include "transpose.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// To the library the memory of a is aᵀ [n, m], tall, with vt's memory its left side.
void decompose_wide(const Svd& op, Solver& solver, Memory& memory, const Call& call) {
  const Scratch<double> right(memory, op.m * op.m, call);
  solver.svd({op.n, op.m, op.a, op.vt, op.s, right.get()}, call);
  transpose(op.m, op.m, right.get(), op.u, call);
}

/// Transposed, the memory is a [m, n] to the library, and vt's its right side.
void decompose_tall(const Svd& op, Solver& solver, Memory& memory, const Call& call) {
  const Scratch<double> a(memory, op.m * op.n, call);
  const Scratch<double> left(memory, op.m * op.n, call);
  transpose(op.m, op.n, op.a, a.get(), call);
  solver.svd({op.m, op.n, a.get(), left.get(), op.s, op.vt}, call);
  transpose(op.n, op.m, left.get(), op.u, call);
}

}  // namespace

void CudaDevice::svd(const Svd& op) {
  const Call call = begin("svd", {op.m, op.n});
  if (op.p() == 0) return;
  refuse_nonfinite(op.a, op.m * op.n, *memory_, call);
  op.m > op.n ? decompose_tall(op, solver(), *memory_, call) : decompose_wide(op, solver(), *memory_, call);
  check(cudaStreamSynchronize(call.stream), call);
}

}  // namespace incipit::device
