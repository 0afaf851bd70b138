#include "device/rotary_split.hpp"

#include <vector>

#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

/// out = in + bias.
template <Number T>
void copy_head(std::int64_t size, const T* in, const float* bias, float* out) {
  if (bias == nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < size; ++j) out[j] = to_float(in[j]);
    return;
  }
#pragma omp simd
  for (std::int64_t j = 0; j < size; ++j) out[j] = to_float(in[j]) + bias[j];
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

template <Number T>
void store_head(std::int64_t size, const float* head, T* out) {
#pragma omp simd
  for (std::int64_t j = 0; j < size; ++j) out[j] = round_to<T>(head[j]);
}

template <Number T>
struct Section {
  T* out;
  bool rotated;
  bool placed;  ///< keys and values, whose rows may lie elsewhere
};

template <Number T>
void split(const RotarySplit<T>& op, int threads) {
  if (op.rotary_dims % 2 != 0 || op.rotary_dims < 0 || op.rotary_dims > op.head_size) {
    throw Error(Exit::defect, "rotary_split of " + std::to_string(op.rotary_dims) +
                                  " dimensions of heads of " + std::to_string(op.head_size));
  }
  Section<T> sections[3];
  int count = 0;
  if (op.q != nullptr) sections[count++] = {op.q, true, false};
  if (op.k != nullptr) sections[count++] = {op.k, true, true};
  if (op.v != nullptr) sections[count++] = {op.v, false, true};
  const std::int64_t half = op.rotary_dims / 2;
  const std::int64_t width = op.heads * op.head_size;
  const std::int64_t key_rows = op.key_rows == 0 ? op.rows : op.key_rows;

  std::vector<float> head(static_cast<std::size_t>(op.head_size));
#pragma omp parallel for schedule(static) firstprivate(head) num_threads(threads) if (threads > 1)
  for (std::int64_t row = 0; row < op.rows; ++row) {
    const float* cos = half > 0 ? op.cos + op.position[row] * half : nullptr;
    const float* sin = half > 0 ? op.sin + op.position[row] * half : nullptr;
    const std::int64_t place = op.place == nullptr ? row : op.place[row];
    for (int s = 0; s < count; ++s) {
      const std::int64_t rows = sections[s].placed ? key_rows : op.rows;
      const std::int64_t to = sections[s].placed ? place : row;
      for (std::int64_t h = 0; h < op.heads; ++h) {
        const std::int64_t column = s * width + h * op.head_size;
        copy_head(op.head_size, op.in + row * count * width + column,
                  op.bias == nullptr ? nullptr : op.bias + column, head.data());
        if (sections[s].rotated) rotate(half, cos, sin, head.data());
        store_head(op.head_size, head.data(), sections[s].out + (h * rows + to) * op.head_size);
      }
    }
  }
}

}  // namespace

void HostDevice::rotary_split(const RotarySplit<float>& op) {
  split(op, threads_);
}
void HostDevice::rotary_split(const RotarySplit<Float16>& op) {
  split(op, threads_);
}
void HostDevice::rotary_split(const RotarySplit<BFloat16>& op) {
  split(op, threads_);
}

}  // namespace incipit::device
