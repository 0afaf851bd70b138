#include "device/rotary_split.hpp"

#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

/// out = in + bias.
void copy_head(std::int64_t size, const float* in, const float* bias, float* out) {
  if (bias == nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < size; ++j) out[j] = in[j];
    return;
  }
#pragma omp simd
  for (std::int64_t j = 0; j < size; ++j) out[j] = in[j] + bias[j];
}

void rotate(std::int64_t half, const float* cos, const float* sin, float* head) {
  float* other = head + half;
#pragma omp simd
  for (std::int64_t j = 0; j < half; ++j) {
    const float a = head[j];
    const float b = other[j];
    head[j] = a * cos[j] - b * sin[j];
    other[j] = b * cos[j] + a * sin[j];
  }
}

struct Section {
  float* out;
  bool rotated;
};

}  // namespace

void HostDevice::rotary_split(const RotarySplit& op) {
  if (op.rotary_dims % 2 != 0 || op.rotary_dims < 0 || op.rotary_dims > op.head_size) {
    throw Error(Exit::defect, "rotary_split of " + std::to_string(op.rotary_dims) +
                                  " dimensions of heads of " + std::to_string(op.head_size));
  }
  Section sections[3];
  int count = 0;
  if (op.q != nullptr) sections[count++] = {op.q, true};
  if (op.k != nullptr) sections[count++] = {op.k, true};
  if (op.v != nullptr) sections[count++] = {op.v, false};
  const std::int64_t half = op.rotary_dims / 2;
  const std::int64_t width = op.heads * op.head_size;

#pragma omp parallel for schedule(static) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t row = 0; row < op.rows; ++row) {
    const float* cos = half > 0 ? op.cos + op.position[row] * half : nullptr;
    const float* sin = half > 0 ? op.sin + op.position[row] * half : nullptr;
    for (int s = 0; s < count; ++s) {
      for (std::int64_t h = 0; h < op.heads; ++h) {
        const std::int64_t column = s * width + h * op.head_size;
        float* out = sections[s].out + (h * op.rows + row) * op.head_size;
        copy_head(op.head_size, op.in + row * count * width + column,
                  op.bias == nullptr ? nullptr : op.bias + column, out);
        if (sections[s].rotated) rotate(half, cos, sin, out);
      }
    }
  }
}

}  // namespace incipit::device
