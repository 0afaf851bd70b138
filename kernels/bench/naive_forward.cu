// The operations of the forward pass, naively.

#include <cmath>

#include "naive.cuh"
#include "naive.hpp"
#include "number.cuh"

namespace incipit::device::bench::naive {
namespace {

using cuda::Call;
using cuda::launch;
using cuda::narrow;
using cuda::widen;

template <class T, class Result>
__global__ void matmul_kernel(MatrixProduct<T, Result> op) {
  const std::int64_t i = my_number() / op.n;
  const std::int64_t j = my_number() % op.n;
  if (i >= op.m) return;
  float sum = 0;
  for (std::int64_t l = 0; l < op.k; ++l) {
    const float a = widen(op.a[op.transpose_a ? l * op.lda + i : i * op.lda + l]);
    sum += a * widen(op.b[op.transpose_b ? j * op.ldb + l : l * op.ldb + j]);
  }
  sum *= op.alpha;
  if (op.beta != 0) sum += op.beta * widen(op.c[i * op.ldc + j]);
  op.c[i * op.ldc + j] = narrow<Result>(sum);
}

__global__ void gather_rows_kernel(GatherRows op) {
  const std::int64_t i = my_number();
  if (i < op.rows * op.d) op.out[i] = op.in[op.index[i / op.d] * op.d + i % op.d];
}

template <Number T>
__global__ void double_layer_norm_kernel(DoubleLayerNorm<T> op) {
  const std::int64_t row = my_number();
  if (row >= op.rows) return;
  const float* x = op.x + row * op.d;
  float mean = 0;
  for (std::int64_t c = 0; c < op.d; ++c) mean += x[c];
  mean /= static_cast<float>(op.d);
  float variance = 0;
  for (std::int64_t c = 0; c < op.d; ++c) variance += (x[c] - mean) * (x[c] - mean);
  const float factor = 1.0F / sqrtf(variance / static_cast<float>(op.d) + op.eps);
  for (std::int64_t c = 0; c < op.d; ++c) {
    const float n = (x[c] - mean) * factor;
    op.out_a[row * op.d + c] = narrow<T>(n * op.weight_a[c] + op.bias_a[c]);
    if (op.out_b != nullptr) op.out_b[row * op.d + c] = narrow<T>(n * op.weight_b[c] + op.bias_b[c]);
  }
}

/// `turned`: the rotary embedding applies. Columns of `in` from `section` on.
template <Number T>
__device__ void rotate(const RotarySplit<T>& op, std::int64_t i, std::int64_t section, bool turned, T* out) {
  const std::int64_t size = op.head_size;
  const std::int64_t column = i % size;
  const std::int64_t row = i / size % op.rows;
  const std::int64_t head = i / size / op.rows;
  const std::int64_t width = op.heads * size;
  const std::int64_t sections = (op.q != nullptr) + (op.k != nullptr) + (op.v != nullptr);
  const std::int64_t first = section * width + head * size;
  const auto biased = [&](std::int64_t c) {
    const float bias = op.bias != nullptr ? op.bias[first + c] : 0.0F;
    return widen(op.in[row * sections * width + first + c]) + bias;
  };
  const std::int64_t half = op.rotary_dims / 2;
  float value = biased(column);
  if (turned && column < op.rotary_dims) {
    const std::int64_t angle = op.position[row] * half + column % half;
    value = column < half ? value * op.cos[angle] - biased(column + half) * op.sin[angle]
                          : value * op.cos[angle] + biased(column - half) * op.sin[angle];
  }
  out[i] = narrow<T>(value);
}

template <Number T>
__global__ void rotary_split_kernel(RotarySplit<T> op) {
  const std::int64_t i = my_number();
  if (i >= op.rows * op.heads * op.head_size) return;
  std::int64_t section = 0;
  if (op.q != nullptr) rotate(op, i, section++, true, op.q);
  if (op.k != nullptr) rotate(op, i, section++, true, op.k);
  if (op.v != nullptr) rotate(op, i, section, false, op.v);
}

/// A thread per query and head, which walks its keys twice: for the largest score, then for the sums.
/// `sums` holds what becomes `out`.
template <Number T>
__global__ void attention_kernel(Attention<T> op, float* sums) {
  const std::int64_t row = my_number() % op.query_rows;
  const std::int64_t head = my_number() / op.query_rows;
  if (head >= op.heads) return;
  std::int64_t sequence = 0;
  while (op.query_starts[sequence + 1] <= row) ++sequence;
  const std::int64_t behind = op.query_starts[sequence + 1] - 1 - row;
  const std::int64_t begin = op.key_starts[sequence];
  const std::int64_t end = op.key_starts[sequence + 1] - behind;
  const std::int64_t size = op.head_size;
  const auto score = [&](std::int64_t key) {
    float dot = 0;
    for (std::int64_t c = 0; c < size; ++c) {
      dot += widen(op.q[(head * op.query_rows + row) * size + c]) *
             widen(op.k[(head * op.key_rows + key) * size + c]);
    }
    return dot * op.scale;
  };
  float most = -INFINITY;
  for (std::int64_t key = begin; key < end; ++key) most = fmaxf(most, score(key));
  float* out = sums + (row * op.heads + head) * size;
  for (std::int64_t c = 0; c < size; ++c) out[c] = 0;
  float sum = 0;
  for (std::int64_t key = begin; key < end; ++key) {
    const float weight = expf(score(key) - most);
    sum += weight;
    for (std::int64_t c = 0; c < size; ++c)
      out[c] += weight * widen(op.v[(head * op.key_rows + key) * size + c]);
  }
  for (std::int64_t c = 0; c < size; ++c)
    op.out[(row * op.heads + head) * size + c] = narrow<T>(out[c] / sum);
}

template <Number T>
__global__ void bias_activation_kernel(BiasActivation<T> op) {
  const std::int64_t i = my_number();
  if (i >= op.rows * op.d) return;
  const float x = widen(op.x[i]) + (op.bias != nullptr ? op.bias[i % op.d] : 0.0F);
  float y = x < 0 ? 0 : x;
  if (op.f == Nonlinearity::gelu) y = x * normcdff(x);
  if (op.f == Nonlinearity::gelu_tanh)
    y = 0.5F * x * (1.0F + tanhf(0.79788456F * (x + 0.044715F * x * x * x)));
  op.x[i] = narrow<T>(y);
}

__global__ void add_bias_kernel(AddBias op) {
  const std::int64_t i = my_number();
  if (i < op.rows * op.d) op.x[i] += op.bias[i % op.d];
}

__global__ void count_nonfinite_kernel(CountNonfinite op) {
  const std::int64_t row = my_number();
  if (row >= op.rows) return;
  int count = 0;
  for (std::int64_t c = 0; c < op.d; ++c) {
    const float x = op.x[row * op.d + c];
    if (!(x - x == 0)) ++count;
  }
  op.counts[row] = count;
}

/// The first block of a vocabulary: what the state holds is not read.
__global__ void next_token_loss_kernel(NextTokenLoss op) {
  const std::int64_t row = my_number();
  if (row >= op.rows) return;
  const float* logits = op.logits + row * op.columns;
  float most = -INFINITY;
  for (std::int64_t c = 0; c < op.columns; ++c) most = fmaxf(most, logits[c]);
  double sum = 0;
  for (std::int64_t c = 0; c < op.columns; ++c) sum += exp(static_cast<double>(logits[c] - most));
  op.maximum[row] = most;
  op.sum[row] = sum;
  op.target_logit[row] = logits[op.target[row]];
}

}  // namespace

template <class T, class Result>
void run(const Call& call, const MatrixProduct<T, Result>& op) {
  launch(call, one_each(op.m * op.n), matmul_kernel<T, Result>, op);
}
void run(const Call& call, const GatherRows& op) {
  launch(call, one_each(op.rows * op.d), gather_rows_kernel, op);
}
template <Number T>
void run(const Call& call, const DoubleLayerNorm<T>& op) {
  launch(call, one_each(op.rows), double_layer_norm_kernel<T>, op);
}
template <Number T>
void run(const Call& call, const RotarySplit<T>& op) {
  launch(call, one_each(op.rows * op.heads * op.head_size), rotary_split_kernel<T>, op);
}
template <Number T>
void run(const Call& call, const Attention<T>& op) {
  const Temporary<float> sums(call, op.query_rows * op.heads * op.head_size);
  launch(call, one_each(op.query_rows * op.heads), attention_kernel<T>, op, sums.get());
}
template <Number T>
void run(const Call& call, const BiasActivation<T>& op) {
  launch(call, one_each(op.rows * op.d), bias_activation_kernel<T>, op);
}
void run(const Call& call, const AddBias& op) {
  launch(call, one_each(op.rows * op.d), add_bias_kernel, op);
}
void run(const Call& call, const CountNonfinite& op) {
  launch(call, one_each(op.rows), count_nonfinite_kernel, op);
}
void run(const Call& call, const NextTokenLoss& op) {
  launch(call, one_each(op.rows), next_token_loss_kernel, op);
}

template void run(const Call&, const MatrixProduct<float>&);
template void run(const Call&, const MatrixProduct<BFloat16>&);
template void run(const Call&, const MatrixProduct<BFloat16, float>&);
template void run(const Call&, const DoubleLayerNorm<float>&);
template void run(const Call&, const DoubleLayerNorm<BFloat16>&);
template void run(const Call&, const RotarySplit<float>&);
template void run(const Call&, const RotarySplit<BFloat16>&);
template void run(const Call&, const Attention<float>&);
template void run(const Call&, const Attention<BFloat16>&);
template void run(const Call&, const BiasActivation<float>&);
template void run(const Call&, const BiasActivation<BFloat16>&);

}  // namespace incipit::device::bench::naive
