// The largest z of sets of latents on each row: a warp for each row and set.

#include <cmath>

#include "cuda_device.hpp"
#include "device/set_maximum.hpp"
#include "launch.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int maximum_threads = 256;
constexpr int warps = maximum_threads / warp_lanes;

/// A block walks the sets of one row, which stays in the cache.
__global__ void __launch_bounds__(maximum_threads) set_maximum_kernel(SetMaximum op) {
  const std::int64_t row = blockIdx.x;
  const float* z = op.z + row * op.h;
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  for (std::int64_t set = threadIdx.x / warp_lanes; set < op.sets; set += warps) {
    float largest = -INFINITY;
    for (std::int64_t at = op.start[set] + lane; at < op.start[set + 1]; at += warp_lanes)
      largest = fmaxf(largest, z[op.latent[at]]);
    largest = warp_reduce(largest, Maximum{});
    if (lane == 0) op.out[set * op.stride + row] = largest;
  }
}

}  // namespace

void CudaDevice::set_maximum(const SetMaximum& op) {
  launch(begin("set_maximum", {op.rows, op.h, op.sets}), {.blocks = op.rows, .threads = maximum_threads},
         set_maximum_kernel, op);
}

}  // namespace incipit::device
