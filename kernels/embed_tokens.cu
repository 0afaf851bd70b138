// out[i] = word[token[i]] + every + place[position[i]]: the embedding of tokens with learned positions.
// Memory-bound.

#include "cuda_device.hpp"
#include "device/embed_tokens.hpp"
#include "pack.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

template <int width>
__global__ void __launch_bounds__(row_threads) embed_tokens_kernel(EmbedTokens op, int along) {
  for_each_element(op.rows, op.d / width, along, [&](std::int64_t row, std::int64_t pack) {
    const std::int64_t column = pack * width;
    Pack<float, width> x = load<width>(op.word, op.token[row] * op.d + column);
    const Pack<float, width> place = load<width>(op.place, op.position[row] * op.d + column);
    if (op.every != nullptr) {
      const Pack<float, width> every = load<width>(op.every, column);
      for (int u = 0; u < width; ++u) x.value[u] += every.value[u];
    }
    for (int u = 0; u < width; ++u) x.value[u] += place.value[u];
    store(op.out, row * op.d + column, x);
  });
}

template <int width>
void run(const EmbedTokens& op, const Call& call) {
  launch_rows(call, op.rows, op.d / width, embed_tokens_kernel<width>, op);
}

}  // namespace

void CudaDevice::embed_tokens(const EmbedTokens& op) {
  const Call call = begin("embed_tokens", {op.rows, op.d});
  packable<4>(op.d, op.word, op.place, op.every, op.out) ? run<4>(op, call) : run<1>(op, call);
}

}  // namespace incipit::device
