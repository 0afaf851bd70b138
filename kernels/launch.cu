// Launches: limits of a grid, and errors that name operation and shape.

#include "error.hpp"
#include "launch.cuh"

namespace incipit::device::cuda {

std::string describe(const Call& call) {
  std::string text = call.operation;
  const char* before = " of ";
  for (const std::int64_t size : call.shape) {
    if (size < 0) break;
    text += before + std::to_string(size);
    before = " x ";
  }
  return text;
}

void check(cudaError_t status, const Call& call) {
  if (status == cudaSuccess) return;
  const bool ours = status == cudaErrorInvalidValue || status == cudaErrorInvalidConfiguration;
  throw Error(
      ours ? Exit::defect : Exit::machine,
      describe(call) + ": CUDA answers \"" + cudaGetErrorString(status) + "\" (" +
          std::to_string(static_cast<int>(status)) + ")" +
          (call.wait ? ""
                     : "; kernels run behind the program, so an earlier operation may be the one that "
                       "failed: INCIPIT_CUDA_WAIT=1 finds out which"));
}

cudaLaunchConfig_t configure(const Call& call, const Grid& grid) {
  constexpr std::int64_t most_blocks = 0x7fffffff;
  constexpr std::int64_t most_across = 65535;
  if (grid.blocks < 0 || grid.blocks > most_blocks || grid.across > most_across ||
      grid.problems > most_across) {
    throw Error(Exit::defect, describe(call) + " needs a grid of " + std::to_string(grid.blocks) + " x " +
                                  std::to_string(grid.across) + " x " + std::to_string(grid.problems) +
                                  " blocks, more than a device takes");
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3{static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.across),
                        static_cast<unsigned>(grid.problems)};
  config.blockDim = dim3{static_cast<unsigned>(grid.threads), 1, 1};
  config.dynamicSmemBytes = grid.shared;
  config.stream = call.stream;
  return config;
}

void finish(const Call& call) {
  if (call.wait) check(cudaStreamSynchronize(call.stream), call);
}

}  // namespace incipit::device::cuda
