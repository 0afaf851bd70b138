// out[i] = rows[index[i]] − centre: the batch of an SAE step.

#include "cuda_device.hpp"
#include "device/gather_centred.hpp"
#include "pack.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <class T, int width>
__global__ void __launch_bounds__(row_threads) gather_centred_kernel(GatherCentred<T> op, int along) {
  for_each_element(op.problems * op.n, op.d / width, along, [&](std::int64_t row, std::int64_t column) {
    const std::int64_t from = (op.index != nullptr ? op.index[row] : row) * op.d;
    Pack<T, width> x = load<width>(op.rows, from + column * width);
    const Pack<T, width> centre = load<width>(op.centre, row / op.n * op.d + column * width);
    for (int u = 0; u < width; ++u) x.value[u] -= centre.value[u];
    store(op.out, row * op.d + column * width, x);
  });
}

template <int width, class T>
void run(const GatherCentred<T>& op, const Call& call) {
  launch_rows(call, op.problems * op.n, op.d / width, gather_centred_kernel<T, width>, op);
}

template <class T>
void choose(const GatherCentred<T>& op, const Call& call) {
  packable<widest<T>>(op.d, op.rows, op.centre, op.out) ? run<widest<T>>(op, call) : run<1>(op, call);
}

}  // namespace

void CudaDevice::gather_centred(const GatherCentred<float>& op) {
  choose(op, begin("gather_centred", {op.problems, op.n, op.d}));
}
void CudaDevice::gather_centred(const GatherCentred<double>& op) {
  choose(op, begin("gather_centred (fp64)", {op.problems, op.n, op.d}));
}

}  // namespace incipit::device
