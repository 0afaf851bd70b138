#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <string>

namespace incipit::device::cuda {

/// An operation under way: where its kernels go, and how errors call it.
struct Call {
  cudaStream_t stream = nullptr;
  const char* operation = "";
  std::array<std::int64_t, 5> shape = {-1, -1, -1, -1, -1};  ///< −1 where there are fewer numbers
  bool wait = false;                                         ///< for each kernel: finds out which one failed
};

/// "encode_top_k of 256 x 512 x 1024".
std::string describe(const Call& call);
/// Throws Error where `status` is none of success.
void check(cudaError_t status, const Call& call);

struct Grid {
  std::int64_t blocks = 0;  ///< along x; with 0 nothing is launched
  int threads = 256;
  std::int64_t across = 1;    ///< blocks along y
  std::int64_t problems = 1;  ///< blocks along z
  std::size_t shared = 0;     ///< bytes of dynamic shared memory
};

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) {
  return divide_up(a, b) * b;
}

/// Checks a grid's limits and makes a launch configuration of it.
cudaLaunchConfig_t configure(const Call& call, const Grid& grid);
/// What follows a launch when every kernel is waited for.
void finish(const Call& call);

/// Dynamic shared memory beyond this must be asked for.
inline constexpr std::size_t common_shared_bytes = std::size_t{48} << 10U;

template <class... Parameters, class... Arguments>
void launch(const Call& call, const Grid& grid, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (grid.blocks == 0 || grid.across == 0 || grid.problems == 0) return;
  const cudaLaunchConfig_t config = configure(call, grid);
  if (grid.shared > common_shared_bytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(grid.shared)),
          call);
  }
#ifdef INCIPIT_SHIM
  shim::name_next_kernel(call.operation);
#endif
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), call);
  finish(call);
}

}  // namespace incipit::device::cuda
