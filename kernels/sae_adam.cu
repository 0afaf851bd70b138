// One Adam step in one pass over parameter, gradient and both moments; for rows of unit norm with the
// gradient's parallel part removed before and the row scaled after, a block per row.

#include <cfloat>
#include <cmath>
#include <type_traits>

#include "cuda_device.hpp"
#include "device/sae_adam.hpp"
#include "launch.cuh"
#include "reduce.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <class T>
__device__ __forceinline__ T flush(T value) {
  // As on the host, where arithmetic below the normal range is slow.
  constexpr T least = std::is_same_v<T, float> ? static_cast<T>(FLT_MIN) : static_cast<T>(DBL_MIN);
  return (value < 0 ? -value : value) < least ? T{0} : value;
}

/// Updates one element, returns the parameter.
template <class T>
__device__ __forceinline__ T update(const SaeAdam<T>& op, const AdamCoefficients<T>& by, std::int64_t i,
                                    T gradient) {
  const T m = flush(by.keep1 * op.first[i] + by.add1 * gradient);
  const T v = flush(by.keep2 * op.second[i] + by.add2 * gradient * gradient);
  op.first[i] = m;
  op.second[i] = v;
  const T parameter = op.parameter[i] - by.rate * m / (std::sqrt(v) * by.root + by.epsilon);
  op.parameter[i] = parameter;
  return parameter;
}

template <class T>
__global__ void __launch_bounds__(row_threads) adam_kernel(SaeAdam<T> op, AdamCoefficients<T> by, int along) {
  for_each_element(op.rows, op.d, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * op.d + column;
    update(op, by, i, op.gradient[i]);
  });
}

template <class T>
__global__ void __launch_bounds__(row_threads) unit_rows_adam_kernel(SaeAdam<T> op, AdamCoefficients<T> by) {
  const std::int64_t begin = blockIdx.x * op.d;
  double product = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x)
    product += static_cast<double>(op.gradient[begin + c]) * static_cast<double>(op.parameter[begin + c]);
  const T parallel = static_cast<T>(block_sum(product));

  double square = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) {
    const std::int64_t i = begin + c;
    const T w = update(op, by, i, op.gradient[i] - parallel * op.parameter[i]);
    square += static_cast<double>(w) * static_cast<double>(w);
  }
  const double norm = std::sqrt(block_sum(square));
  const T scale = norm > 0 ? static_cast<T>(1 / norm) : T{1};
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) op.parameter[begin + c] *= scale;
}

template <class T>
void run(const SaeAdam<T>& op, const Call& call) {
  const AdamCoefficients<T> c = adam_coefficients(op);
  if (!op.unit_rows) return launch_rows(call, op.rows, op.d, adam_kernel<T>, op, c);
  launch(call, {.blocks = op.rows, .threads = row_block_threads(op.d)}, unit_rows_adam_kernel<T>, op, c);
}

}  // namespace

void CudaDevice::sae_adam(const SaeAdam<float>& op) {
  run(op, begin("sae_adam", {op.rows, op.d}));
}
void CudaDevice::sae_adam(const SaeAdam<double>& op) {
  run(op, begin("sae_adam (fp64)", {op.rows, op.d}));
}

}  // namespace incipit::device
