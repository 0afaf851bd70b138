// Weights on their way in: as the file holds them through pinned memory, then converted and looked at by the
// device, on the stream of copies, so that none of it waits for the forward pass or lets it wait. Bound by
// the copy over the bus.

#include <algorithm>

#include "cuda_device.hpp"
#include "device/upload_numbers.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "number.cuh"
#include "reduce.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int convert_threads = 256;
constexpr std::int64_t convert_blocks = 264;  // twice the multiprocessors of today's largest

template <class From, Number To>
__global__ void __launch_bounds__(convert_threads)
    convert_kernel(const From* from, To* to, std::int64_t count, std::int64_t first,
                   unsigned long long* bad) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step) {
    float x;
    if constexpr (sizeof(From) == sizeof(double)) {
      x = static_cast<float>(from[i]);
    } else {
      x = widen(from[i]);
    }
    const To rounded = narrow<To>(x);
    to[i] = rounded;
    if (nonfinite(widen(rounded))) atomicMin(bad, static_cast<unsigned long long>(first + i));
  }
}

template <class From, Number To>
std::int64_t run(const NumberUpload& op, Upload& upload, cudaEvent_t event, Call call) {
  call.stream = upload.stream();
  const std::int64_t found =
      upload.convert(op.host, static_cast<std::size_t>(op.count) * sizeof(From), event, call,
                     [&](const void* part, std::size_t offset, std::size_t bytes, unsigned long long* bad) {
                       const auto first = static_cast<std::int64_t>(offset / sizeof(From));
                       const auto count = static_cast<std::int64_t>(bytes / sizeof(From));
                       launch(call,
                              {.blocks = std::min(convert_blocks, divide_up(count, convert_threads)),
                               .threads = convert_threads},
                              convert_kernel<From, To>, static_cast<const From*>(part),
                              static_cast<To*>(op.device) + first, count, first, bad);
                     });
  return std::min(found, op.count);
}

template <Number To>
std::int64_t run(const NumberUpload& op, Upload& upload, cudaEvent_t event, const Call& call) {
  switch (op.from) {
    case NumberType::f16:
      return run<Float16, To>(op, upload, event, call);
    case NumberType::bf16:
      return run<BFloat16, To>(op, upload, event, call);
    case NumberType::f32:
      return run<float, To>(op, upload, event, call);
    case NumberType::f64:
      return run<double, To>(op, upload, event, call);
  }
  return 0;
}

}  // namespace

std::int64_t CudaDevice::upload_numbers(const NumberUpload& op) {
  const Call call{.operation = "upload_numbers", .shape = {op.count, -1, -1, -1, -1}};
  if (op.count == 0) return 0;
  const auto [upload, event] = memory_->uploader(call);
  switch (op.to) {
    case NumberType::f16:
      return run<Float16>(op, *upload, event, call);
    case NumberType::bf16:
      return run<BFloat16>(op, *upload, event, call);
    case NumberType::f32:
      return run<float>(op, *upload, event, call);
    case NumberType::f64:
      break;
  }
  throw Error(Exit::defect, describe(call) + ": numbers of the forward pass are f16, bf16 or f32");
}

}  // namespace incipit::device
