// rowsᵀ = q · r: checks, and the library's reflectors (solver.cu). To it the memory of the rows is rowsᵀ.

#include "cuda_device.hpp"
#include "device/qr_of_transpose.hpp"
#include "finite.cuh"
#include "solver.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// The upper triangle that the library left in the first n columns of each row.
__global__ void __launch_bounds__(row_threads) take_triangle_kernel(QrOfTranspose op, int along) {
  for_each_element(op.n, op.n, along, [&](std::int64_t column, std::int64_t row) {
    op.r[row * op.n + column] = row <= column ? op.rows[column * op.d + row] : 0.0;
  });
}

}  // namespace

void CudaDevice::qr_of_transpose(const QrOfTranspose& op) {
  const Call call = begin("qr_of_transpose", {op.n, op.d});
  if (op.n > op.d) throw Error(Exit::defect, describe(call) + ": more rows than columns");
  if (op.n == 0) return;
  refuse_nonfinite(op.rows, op.n * op.d, *memory_, call);
  const Scratch<double> scales(*memory_, op.n, call);
  const Solver::Qr qr{op.d, op.n, op.rows, scales.get()};
  solver().factor(qr, call);
  launch_rows(call, op.n, op.n, take_triangle_kernel, op);
  solver().form_q(qr, call);
  check(cudaStreamSynchronize(call.stream), call);
}

}  // namespace incipit::device
