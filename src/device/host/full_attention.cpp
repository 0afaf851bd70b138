#include "device/full_attention.hpp"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "device/host/blas.hpp"
#include "device/host/host_device.hpp"
#include "device/host/softmax.hpp"

namespace incipit::device {
namespace {

/// Queries whose scores are made at once.
constexpr std::int64_t text_rows = 64;

struct TextBlock {
  std::int64_t query;    ///< first row
  std::int64_t queries;  ///< rows
  std::int64_t key;      ///< first row of the sequence
  std::int64_t keys;     ///< rows of the sequence
};

std::vector<TextBlock> blocks_of(const FullAttention& op) {
  std::vector<TextBlock> blocks;
  for (std::int64_t s = 0; s < op.sequences; ++s) {
    const std::int64_t begin = op.starts[s];
    const std::int64_t keys = op.starts[s + 1] - begin;
    for (std::int64_t i = 0; i < keys; i += text_rows)
      blocks.push_back({begin + i, std::min(text_rows, keys - i), begin, keys});
  }
  return blocks;
}

void add(float* score, const float* bias, std::int64_t n) {
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) score[j] += bias[j];
}

void scale_by(float* x, float factor, std::int64_t n) {
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) x[j] *= factor;
}

/// `scores` has room for text_rows queries and the longest sequence's keys.
void attend(const FullAttention& op, const TextBlock& block, std::int64_t head, float* scores) {
  const std::int64_t size = op.head_size;
  const std::int64_t width = op.heads * size;
  const std::int64_t first = head * op.rows;
  float* out = op.out + block.query * width + head * size;
  host::sgemm({.transpose_b = true,
               .m = block.queries,
               .n = block.keys,
               .k = size,
               .alpha = op.scale,
               .a = op.q + (first + block.query) * size,
               .lda = size,
               .b = op.k + (first + block.key) * size,
               .ldb = size,
               .c = scores,
               .ldc = block.keys});
  float sums[text_rows];
  for (std::int64_t i = 0; i < block.queries; ++i) {
    float* row = scores + i * block.keys;
    if (op.bias != nullptr) {
      const std::int64_t query = block.query - block.key + i;
      add(row, op.bias + head * (2 * op.reach - 1) + op.reach - 1 - query, block.keys);
    }
    sums[i] = host::exponentiate(row, block.keys);
  }
  host::sgemm({.m = block.queries,
               .n = size,
               .k = block.keys,
               .a = scores,
               .lda = block.keys,
               .b = op.v + (first + block.key) * size,
               .ldb = size,
               .c = out,
               .ldc = width});
  for (std::int64_t i = 0; i < block.queries; ++i) scale_by(out + i * width, 1.0F / sums[i], size);
}

}  // namespace

void HostDevice::full_attention(const FullAttention& op) {
  const std::vector<TextBlock> blocks = blocks_of(op);
  const auto count = static_cast<std::int64_t>(blocks.size());
  const auto room = static_cast<std::size_t>(text_rows * op.longest);
  std::vector<std::vector<float>> scores(static_cast<std::size_t>(threads_), std::vector<float>(room));
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t head = 0; head < op.heads; ++head) {
      attend(op, blocks[static_cast<std::size_t>(b)], head,
             scores[static_cast<std::size_t>(omp_get_thread_num())].data());
    }
  }
}

}  // namespace incipit::device
