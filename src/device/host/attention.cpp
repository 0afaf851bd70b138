#include "device/attention.hpp"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "device/host/blas.hpp"
#include "device/host/functions.hpp"
#include "device/host/host_device.hpp"
#include "device/host/lanes.hpp"

namespace incipit::device {
namespace {

/// Queries whose scores are made at once: keys after the block's last query are never touched.
constexpr std::int64_t block_rows = 64;

struct Block {
  std::int64_t query;    ///< first row among the queries
  std::int64_t queries;  ///< rows
  std::int64_t key;      ///< first row among the keys
  std::int64_t keys;     ///< that the last query sees
};

std::vector<Block> blocks_of(const Attention& op) {
  std::vector<Block> blocks;
  for (std::int64_t s = 0; s < op.sequences; ++s) {
    const std::int64_t queries = op.query_starts[s + 1] - op.query_starts[s];
    const std::int64_t keys = op.key_starts[s + 1] - op.key_starts[s];
    for (std::int64_t i = 0; i < queries; i += block_rows) {
      const std::int64_t end = std::min(queries, i + block_rows);
      blocks.push_back({op.query_starts[s] + i, end - i, op.key_starts[s], keys - queries + end});
    }
  }
  return blocks;
}

/// Turns scores of the first `seen` keys into e^(score − largest), the rest into 0; returns the sum.
float exponentiate(float* score, std::int64_t seen, std::int64_t keys) {
  const float most = host::lane_max(score, seen);
#pragma omp simd
  for (std::int64_t j = 0; j < seen; ++j) score[j] = host::exp_fast(score[j] - most);
  std::fill(score + seen, score + keys, 0.0F);
  return host::lane_sum(score, seen, [](auto v) { return v; });
}

void attend(const Attention& op, const Block& block, std::int64_t head, float* scores) {
  const float* k = op.k + (head * op.key_rows + block.key) * op.head_size;
  const float* v = op.v + (head * op.key_rows + block.key) * op.head_size;
  const std::int64_t width = op.heads * op.head_size;
  float* out = op.out + block.query * width + head * op.head_size;

  host::sgemm({.transpose_b = true,
               .m = block.queries,
               .n = block.keys,
               .k = op.head_size,
               .alpha = op.scale,
               .a = op.q + (head * op.query_rows + block.query) * op.head_size,
               .lda = op.head_size,
               .b = k,
               .ldb = op.head_size,
               .c = scores,
               .ldc = block.keys});
  float sums[block_rows];
  for (std::int64_t i = 0; i < block.queries; ++i) {
    sums[i] = exponentiate(scores + i * block.keys, block.keys - block.queries + i + 1, block.keys);
  }
  host::sgemm({.m = block.queries,
               .n = op.head_size,
               .k = block.keys,
               .a = scores,
               .lda = block.keys,
               .b = v,
               .ldb = op.head_size,
               .c = out,
               .ldc = width});
  for (std::int64_t i = 0; i < block.queries; ++i) {
    const float inverse = 1.0F / sums[i];
#pragma omp simd
    for (std::int64_t j = 0; j < op.head_size; ++j) out[i * width + j] *= inverse;
  }
}

}  // namespace

void HostDevice::attention(const Attention& op) {
  const std::vector<Block> blocks = blocks_of(op);
  const auto count = static_cast<std::int64_t>(blocks.size());
  const std::int64_t scratch = block_rows * op.longest;
  std::vector<float> scores(static_cast<std::size_t>(threads_ * scratch));
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(threads_) if (threads_ > 1)
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t head = 0; head < op.heads; ++head) {
      attend(op, blocks[static_cast<std::size_t>(b)], head, scores.data() + omp_get_thread_num() * scratch);
    }
  }
}

}  // namespace incipit::device
