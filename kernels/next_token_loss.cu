// One block of the vocabulary into the losses of predicting each row's next token: a thread block takes a
// row, which it reads twice, for the largest logit and for the sum of exponentials below it.

#include <cmath>
#include <cstdint>

#include "cuda_device.hpp"
#include "device/next_token_loss.hpp"
#include "launch.cuh"
#include "reduce.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

__global__ void __launch_bounds__(row_threads) next_token_loss_kernel(NextTokenLoss op) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t column = op.target[row] - op.first;
  if (op.target[row] < 0) return;
  const float* x = op.logits + row * op.columns;

  float most = -INFINITY;
  int bad = 0;
  for (std::int64_t c = threadIdx.x; c < op.columns; c += blockDim.x) {
    most = fmaxf(most, x[c]);
    // The maximum passes NaN over.
    bad += nonfinite(x[c]) ? 1 : 0;
  }
  most = block_max(most);
  bad = block_sum(bad);
  const bool begin = op.first == 0;
  const float before = begin ? most : op.maximum[row];
  most = fmaxf(most, before);

  double sum = 0;
  for (std::int64_t c = threadIdx.x; c < op.columns; c += blockDim.x) sum += expf(x[c] - most);
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;

  if (!begin) sum += op.sum[row] * exp(static_cast<double>(before) - static_cast<double>(most));
  op.maximum[row] = most;
  op.sum[row] = bad > 0 ? static_cast<double>(NAN) : sum;
  if (column >= 0 && column < op.columns) {
    op.target_logit[row] = x[column];
  } else if (begin) {
    op.target_logit[row] = NAN;
  }
}

}  // namespace

void CudaDevice::next_token_loss(const NextTokenLoss& op) {
  launch(begin("next_token_loss", {op.rows, op.columns}),
         {.blocks = op.rows, .threads = row_block_threads(op.columns)}, next_token_loss_kernel, op);
}

}  // namespace incipit::device
