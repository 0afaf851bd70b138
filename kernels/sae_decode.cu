// What a top-k and a multi-k reconstruction leave of x, and how the losses answer to each activation. A block
// per row: residuals column by column, then a warp for each slope, since a slope is a product over the whole
// row.

#include "cuda_device.hpp"
#include "device/sae_decode.hpp"
#include "launch.cuh"
#include "reduce.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// The decoder of a row's problem.
template <class T>
__device__ __forceinline__ const T* decoder_of(const SaeDecode<T>& op, std::int64_t row) {
  return op.decoder + row / op.n * op.h * op.d;
}

/// out = from − Σ a · decoder row over the places [begin, end), and ‖out‖².
template <class T>
__device__ __forceinline__ double subtract(const SaeDecode<T>& op, std::int64_t row, std::int64_t begin,
                                           std::int64_t end, const T* from, T* out) {
  const T* decoder = decoder_of(op, row);
  T square = 0;
  for (std::int64_t c = threadIdx.x; c < op.d; c += blockDim.x) {
    T rest = from[row * op.d + c];
    for (std::int64_t t = row * op.keep + begin; t < row * op.keep + end; ++t) {
      const T a = op.value[t];
      if (a > 0) rest -= a * decoder[op.index[t] * op.d + c];
    }
    out[row * op.d + c] = rest;
    square += rest * rest;
  }
  return block_sum(static_cast<double>(square));
}

template <class T>
__device__ __forceinline__ T slope_of(const SaeDecode<T>& op, std::int64_t row, std::int64_t t, int lane) {
  const std::int64_t place = row * op.keep + t;
  if (!(op.value[place] > 0)) return 0;
  const T* latent = decoder_of(op, row) + op.index[place] * op.d;
  const T weight = t < op.k ? op.weight : T{0};
  double sum = 0;
  for (std::int64_t c = lane; c < op.d; c += warp_lanes) {
    const T pull = op.weight_multi * op.residual_multi[row * op.d + c] + weight * op.residual[row * op.d + c];
    sum += static_cast<double>(pull) * static_cast<double>(latent[c]);
  }
  return static_cast<T>(-2 * warp_sum(sum));
}

template <class T>
__global__ void __launch_bounds__(row_threads) sae_decode_kernel(SaeDecode<T> op) {
  const std::int64_t row = blockIdx.x;
  const double square = subtract(op, row, 0, op.k, op.x, op.residual);
  if (threadIdx.x == 0) op.square[row] = square;
  if (op.residual_multi == nullptr) return;
  const double square_multi = subtract(op, row, op.k, op.keep, op.residual, op.residual_multi);
  if (threadIdx.x == 0) op.square_multi[row] = square_multi;
  if (op.slope == nullptr) return;
  // Slopes read what other threads have written.
  __syncthreads();
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  for (std::int64_t t = threadIdx.x / warp_lanes; t < op.keep; t += blockDim.x / warp_lanes) {
    const T slope = slope_of(op, row, t, lane);
    if (lane == 0) op.slope[row * op.keep + t] = slope;
  }
}

template <class T>
void run(const SaeDecode<T>& op, const Call& call) {
  launch(call, {.blocks = op.problems * op.n, .threads = row_block_threads(op.d)}, sae_decode_kernel<T>, op);
}

}  // namespace

void CudaDevice::sae_decode(const SaeDecode<float>& op) {
  run(op, begin("sae_decode", {op.problems, op.n, op.d, op.k, op.keep}));
}
void CudaDevice::sae_decode(const SaeDecode<double>& op) {
  run(op, begin("sae_decode (fp64)", {op.problems, op.n, op.d, op.k, op.keep}));
}

}  // namespace incipit::device
