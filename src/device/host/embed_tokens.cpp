#include "device/embed_tokens.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {

void HostDevice::embed_tokens(const EmbedTokens& op) {
#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t i = 0; i < op.rows; ++i) {
    const float* word = op.word + op.token[i] * op.d;
    const float* place = op.place + op.position[i] * op.d;
    float* out = op.out + i * op.d;
    // NOLINTNEXTLINE(bugprone-branch-clone): LLVM 14 takes the two loops for equal.
    if (op.every == nullptr) {
#pragma omp simd
      for (std::int64_t j = 0; j < op.d; ++j) out[j] = word[j] + place[j];
    } else {
#pragma omp simd
      for (std::int64_t j = 0; j < op.d; ++j) out[j] = word[j] + op.every[j] + place[j];
    }
  }
}

}  // namespace incipit::device
