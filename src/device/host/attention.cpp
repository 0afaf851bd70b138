#include "device/attention.hpp"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "device/host/blas.hpp"
#include "device/host/convert.hpp"
#include "device/host/host_device.hpp"
#include "device/host/softmax.hpp"

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

template <Number T>
std::vector<Block> blocks_of(const Attention<T>& op) {
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

/// What one thread needs besides the operands.
template <Number T>
class Scratch {
 public:
  explicit Scratch(const Attention<T>& op)
      : scores(static_cast<std::size_t>(block_rows * op.longest)),
        q_(wide(block_rows * op.head_size)),
        k_(wide(op.longest * op.head_size)),
        v_(wide(op.longest * op.head_size)),
        out_(wide(block_rows * op.head_size)) {}

  std::vector<float> scores;

  /// These rows in fp32: themselves, where they are.
  const float* q(const T* from, std::int64_t rows, std::int64_t size) { return in(from, rows, size, q_); }
  const float* k(const T* from, std::int64_t rows, std::int64_t size) { return in(from, rows, size, k_); }
  const float* v(const T* from, std::int64_t rows, std::int64_t size) { return in(from, rows, size, v_); }
  /// Where the result is made: where it is wanted, if that is fp32.
  host::Rows<float> result(host::Rows<T> wanted, std::int64_t size) {
    if constexpr (std::same_as<T, float>) {
      return wanted;
    } else {
      return {out_.data(), size};
    }
  }

 private:
  static std::vector<float> wide(std::int64_t size) {
    return std::vector<float>(std::same_as<T, float> ? 0 : static_cast<std::size_t>(size));
  }
  static const float* in(const T* from, std::int64_t rows, std::int64_t size, std::vector<float>& to) {
    if constexpr (std::same_as<T, float>) {
      return from;
    } else {
      host::widen<T>({from, size}, rows, size, {to.data(), size});
      return to.data();
    }
  }

  std::vector<float> q_, k_, v_, out_;
};

template <Number T>
void attend(const Attention<T>& op, const Block& block, std::int64_t head, Scratch<T>& scratch) {
  const std::int64_t size = op.head_size;
  const std::int64_t keys = (head * op.key_rows + block.key) * size;
  const std::int64_t width = op.heads * size;
  const host::Rows<T> wanted{op.out + block.query * width + head * size, width};
  const host::Rows<float> out = scratch.result(wanted, size);
  float* scores = scratch.scores.data();

  host::sgemm({.transpose_b = true,
               .m = block.queries,
               .n = block.keys,
               .k = size,
               .alpha = op.scale,
               .a = scratch.q(op.q + (head * op.query_rows + block.query) * size, block.queries, size),
               .lda = size,
               .b = scratch.k(op.k + keys, block.keys, size),
               .ldb = size,
               .c = scores,
               .ldc = block.keys});
  float sums[block_rows];
  for (std::int64_t i = 0; i < block.queries; ++i) {
    float* row = scores + i * block.keys;
    const std::int64_t seen = block.keys - block.queries + i + 1;
    sums[i] = host::exponentiate(row, seen);
    std::fill(row + seen, row + block.keys, 0.0F);
  }
  host::sgemm({.m = block.queries,
               .n = size,
               .k = block.keys,
               .a = scores,
               .lda = block.keys,
               .b = scratch.v(op.v + keys, block.keys, size),
               .ldb = size,
               .c = out.data,
               .ldc = out.ld});
  for (std::int64_t i = 0; i < block.queries; ++i) {
    const float inverse = 1.0F / sums[i];
#pragma omp simd
    for (std::int64_t j = 0; j < size; ++j) {
      wanted.data[i * wanted.ld + j] = round_to<T>(out.data[i * out.ld + j] * inverse);
    }
  }
}

template <Number T>
void attend_all(const Attention<T>& op, int threads) {
  const std::vector<Block> blocks = blocks_of(op);
  const auto count = static_cast<std::int64_t>(blocks.size());
  std::vector<Scratch<T>> scratch(static_cast<std::size_t>(threads), Scratch<T>(op));
#pragma omp parallel for collapse(2) schedule(dynamic, 4) num_threads(threads) if (threads > 1)
  for (std::int64_t b = 0; b < count; ++b) {
    for (std::int64_t head = 0; head < op.heads; ++head) {
      attend(op, blocks[static_cast<std::size_t>(b)], head,
             scratch[static_cast<std::size_t>(omp_get_thread_num())]);
    }
  }
}

}  // namespace

void HostDevice::attention(const Attention<float>& op) {
  attend_all(op, threads_);
}
void HostDevice::attention(const Attention<Float16>& op) {
  attend_all(op, threads_);
}
void HostDevice::attention(const Attention<BFloat16>& op) {
  attend_all(op, threads_);
}

}  // namespace incipit::device
