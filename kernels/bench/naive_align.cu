// The operations of the alignment of sites, naively.

#include "naive.cuh"
#include "naive.hpp"

namespace incipit::device::bench::naive {
namespace {

using cuda::Call;
using cuda::launch;

template <class T>
__device__ T centred(const float* rows, std::int64_t d, const double* mean, std::int64_t row,
                     std::int64_t c) {
  return static_cast<T>(static_cast<double>(rows[row * d + c]) - mean[c]);
}

/// A thread per element of the result.
template <class T>
__global__ void cross_covariance_kernel(CrossCovariance<T> op) {
  const std::int64_t i = my_number() / op.d_y;
  const std::int64_t j = my_number() % op.d_y;
  if (i >= op.d_x) return;
  double sum = 0;
  for (std::int64_t first = 0; first < op.n; first += cross_covariance_rows) {
    T block = 0;
    for (std::int64_t at = first; at < op.n && at < first + cross_covariance_rows; ++at) {
      const std::int64_t row = op.index != nullptr ? op.index[at] : at;
      block += centred<T>(op.x, op.d_x, op.mean_x, row, i) * centred<T>(op.y, op.d_y, op.mean_y, row, j);
    }
    sum += static_cast<double>(block);
  }
  op.out[i * op.d_y + j] = sum;
}

}  // namespace

template <class T>
void run(const Call& call, const CrossCovariance<T>& op) {
  launch(call, one_each(op.d_x * op.d_y), cross_covariance_kernel<T>, op);
}
template void run<float>(const Call&, const CrossCovariance<float>&);
template void run<double>(const Call&, const CrossCovariance<double>&);

}  // namespace incipit::device::bench::naive
