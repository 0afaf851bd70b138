// The operations of the sparse autoencoder, naively, for one problem.

#include <cmath>

#include "naive.cuh"
#include "naive.hpp"

namespace incipit::device::bench::naive {
namespace {

using cuda::Call;
using cuda::launch;

__global__ void gather_centred_kernel(GatherCentred<float> op) {
  const std::int64_t i = my_number();
  if (i >= op.n * op.d) return;
  const std::int64_t row = op.index != nullptr ? op.index[i / op.d] : i / op.d;
  op.out[i] = op.rows[row * op.d + i % op.d] - op.centre[i % op.d];
}

__global__ void encode_kernel(EncodeTopK<float> op) {
  const std::int64_t row = my_number() / op.h;
  const std::int64_t latent = my_number() % op.h;
  if (row >= op.n) return;
  float sum = 0;
  for (std::int64_t c = 0; c < op.d; ++c) sum += op.x[row * op.d + c] * op.encoder[latent * op.d + c];
  op.z[row * op.h + latent] = sum + op.bias[latent];
}

/// A thread per row inserts each entry where it belongs among those kept so far.
__global__ void keep_largest_kernel(EncodeTopK<float> op) {
  const std::int64_t row = my_number();
  if (row >= op.n) return;
  std::int32_t* index = op.index + row * op.keep;
  float* value = op.value + row * op.keep;
  for (std::int64_t j = 0; j < op.h; ++j) {
    const float z = op.z[row * op.h + j];
    std::int64_t place = j < op.keep ? j : op.keep;
    while (place > 0 && value[place - 1] < z) --place;
    for (std::int64_t t = (j < op.keep ? j : op.keep - 1); t > place; --t) {
      value[t] = value[t - 1];
      index[t] = index[t - 1];
    }
    if (place >= op.keep) continue;
    value[place] = z;
    index[place] = static_cast<std::int32_t>(j);
  }
}

__global__ void decode_kernel(SaeDecode<float> op) {
  const std::int64_t row = my_number();
  if (row >= op.n) return;
  double square = 0;
  double square_multi = 0;
  for (std::int64_t c = 0; c < op.d; ++c) {
    float rest = op.x[row * op.d + c];
    for (std::int64_t t = 0; t < op.keep; ++t) {
      if (t == op.k) op.residual[row * op.d + c] = rest;
      const float a = op.value[row * op.keep + t];
      if (a > 0) rest -= a * op.decoder[op.index[row * op.keep + t] * op.d + c];
    }
    if (op.keep == op.k) op.residual[row * op.d + c] = rest;
    op.residual_multi[row * op.d + c] = rest;
    const double residual = op.residual[row * op.d + c];
    square += residual * residual;
    square_multi += static_cast<double>(rest) * static_cast<double>(rest);
  }
  op.square[row] = square;
  op.square_multi[row] = square_multi;
}

__global__ void slope_kernel(SaeDecode<float> op) {
  const std::int64_t row = my_number() / op.keep;
  const std::int64_t t = my_number() % op.keep;
  if (row >= op.n) return;
  const float* latent = op.decoder + op.index[row * op.keep + t] * op.d;
  double sum = 0;
  for (std::int64_t c = 0; c < op.d; ++c) {
    float pull = op.weight_multi * op.residual_multi[row * op.d + c];
    if (t < op.k) pull += op.weight * op.residual[row * op.d + c];
    sum += static_cast<double>(pull) * static_cast<double>(latent[c]);
  }
  op.slope[row * op.keep + t] = op.value[row * op.keep + t] > 0 ? static_cast<float>(-2 * sum) : 0.0F;
}

/// A thread per latent and column looks through the whole batch for the rows that fire the latent.
__global__ void gradient_kernel(SaeGradient<float> op) {
  const std::int64_t latent = my_number() / op.d;
  const std::int64_t c = my_number() % op.d;
  if (latent >= op.h) return;
  float decoder = 0;
  float encoder = 0;
  float bias = 0;
  for (std::int64_t i = 0; i < op.n * op.keep; ++i) {
    if (op.index[i] != latent || !(op.value[i] > 0)) continue;
    const std::int64_t place = i / op.keep * op.d + c;
    float pull = op.weight_multi * op.residual_multi[place];
    if (i % op.keep < op.k) pull += op.weight * op.residual[place];
    decoder -= 2 * op.value[i] * pull;
    encoder += op.slope[i] * op.x[place];
    bias += op.slope[i];
  }
  op.decoder[latent * op.d + c] = decoder;
  op.encoder[latent * op.d + c] = encoder;
  if (c == 0) op.encoder_bias[latent] = bias;
}

__global__ void pre_bias_kernel(SaeGradient<float> op) {
  const std::int64_t c = my_number();
  if (c >= op.d) return;
  double sum = 0;
  for (std::int64_t row = 0; row < op.n; ++row)
    sum -=
        2 * (op.weight * op.residual[row * op.d + c] + op.weight_multi * op.residual_multi[row * op.d + c]);
  for (std::int64_t j = 0; j < op.h; ++j) sum -= op.encoder_bias[j] * op.weights[j * op.d + c];
  op.pre_bias[c] = static_cast<float>(sum);
}

__global__ void factor_kernel(SaeAuxiliary<float> op, double* factor) {
  if (my_number() > 0) return;
  double sum = 0;
  for (std::int64_t row = 0; row < op.n; ++row) sum += op.e_square[row];
  *factor = op.weight / (sum > op.floor ? sum : op.floor);
}

/// A dead latent is kept where fewer than `keep` others come before it.
__global__ void dead_activation_kernel(SaeAuxiliary<float> op, float* activation) {
  const std::int64_t count = *op.dead_count;
  if (count == 0) return;
  const std::int64_t row = my_number() / count;
  const std::int64_t j = my_number() % count;
  if (row >= op.n) return;
  const float* z_row = op.z + row * op.h;
  const float z = z_row[op.dead[j]];
  std::int64_t before = 0;
  for (std::int64_t other = 0; other < count; ++other) {
    const float z_other = z_row[op.dead[other]];
    if (z_other > z || (z_other == z && other < j)) ++before;
  }
  activation[my_number()] = before < op.most_kept && z > 0 ? z : 0.0F;
}

__global__ void dead_residual_kernel(SaeAuxiliary<float> op, const float* activation, float* f) {
  const std::int64_t count = *op.dead_count;
  const std::int64_t row = my_number() / op.d;
  const std::int64_t c = my_number() % op.d;
  if (row >= op.n) return;
  float rest = op.e[my_number()];
  for (std::int64_t j = 0; j < count; ++j)
    rest -= activation[row * count + j] * op.decoder[op.dead[j] * op.d + c];
  f[my_number()] = rest;
}

__global__ void dead_slope_kernel(SaeAuxiliary<float> op, const double* factor, const float* activation,
                                  const float* f, float* slope) {
  const std::int64_t count = *op.dead_count;
  if (count == 0) return;
  const std::int64_t row = my_number() / count;
  const std::int64_t j = my_number() % count;
  if (row >= op.n) return;
  float sum = 0;
  for (std::int64_t c = 0; c < op.d; ++c) sum += f[row * op.d + c] * op.decoder[op.dead[j] * op.d + c];
  slope[my_number()] = activation[my_number()] > 0 ? static_cast<float>(-2 * *factor) * sum : 0.0F;
}

__global__ void dead_gradient_kernel(SaeAuxiliary<float> op, const double* factor, const float* activation,
                                     const float* f, const float* slope) {
  const std::int64_t count = *op.dead_count;
  const std::int64_t j = my_number() / op.d;
  const std::int64_t c = my_number() % op.d;
  if (j >= count) return;
  float decoder = 0;
  float encoder = 0;
  float bias = 0;
  for (std::int64_t row = 0; row < op.n; ++row) {
    decoder += activation[row * count + j] * f[row * op.d + c];
    encoder += slope[row * count + j] * op.x[row * op.d + c];
    bias += slope[row * count + j];
  }
  op.decoder_gradient[op.dead[j] * op.d + c] += static_cast<float>(-2 * *factor) * decoder;
  op.encoder_gradient[op.dead[j] * op.d + c] += encoder;
  if (c == 0) op.encoder_bias_gradient[op.dead[j]] += bias;
}

__global__ void dead_pre_bias_kernel(SaeAuxiliary<float> op, const float* slope) {
  const std::int64_t count = *op.dead_count;
  const std::int64_t c = my_number();
  if (c >= op.d) return;
  double sum = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    double slopes = 0;
    for (std::int64_t row = 0; row < op.n; ++row) slopes += slope[row * count + j];
    sum += slopes * op.encoder[op.dead[j] * op.d + c];
  }
  op.pre_bias_gradient[c] -= static_cast<float>(sum);
}

__global__ void dead_square_kernel(SaeAuxiliary<float> op, const float* f) {
  const std::int64_t row = my_number();
  if (row >= op.n) return;
  double sum = 0;
  for (std::int64_t c = 0; c < op.d; ++c) {
    const double x = f[row * op.d + c];
    sum += x * x;
  }
  op.square[row] = sum;
}

__global__ void adam_kernel(SaeAdam<float> op, AdamCoefficients<float> by) {
  const std::int64_t row = my_number();
  if (row >= op.rows) return;
  const std::int64_t first = row * op.d;
  float along = 0;
  if (op.unit_rows) {
    for (std::int64_t i = first; i < first + op.d; ++i) along += op.gradient[i] * op.parameter[i];
  }
  double square = 0;
  for (std::int64_t i = first; i < first + op.d; ++i) {
    const float g = op.gradient[i] - along * op.parameter[i];
    op.first[i] = by.keep1 * op.first[i] + by.add1 * g;
    op.second[i] = by.keep2 * op.second[i] + by.add2 * g * g;
    op.parameter[i] -= by.rate * op.first[i] / (sqrtf(op.second[i]) * by.root + by.epsilon);
    square += static_cast<double>(op.parameter[i]) * static_cast<double>(op.parameter[i]);
  }
  if (!op.unit_rows) return;
  const auto scale = static_cast<float>(1 / sqrt(square));
  for (std::int64_t i = first; i < first + op.d; ++i) op.parameter[i] *= scale;
}

__global__ void idle_kernel(SaeIdle<float> op) {
  const std::int64_t latent = my_number();
  if (latent >= op.h) return;
  bool fired = false;
  for (std::int64_t row = 0; row < op.n; ++row) {
    for (std::int64_t i = row * op.keep; i < row * op.keep + op.k; ++i)
      fired = fired || (op.index[i] == latent && op.value[i] > 0);
  }
  op.idle[latent] = fired ? 0 : op.idle[latent] + op.n;
}

__global__ void dead_kernel(SaeDead op) {
  if (my_number() > 0) return;
  std::int64_t count = 0;
  for (std::int64_t j = 0; j < op.h; ++j) {
    if (op.idle[j] >= *op.dead_after) op.dead[count++] = static_cast<std::int32_t>(j);
  }
  *op.count = count;
}

__global__ void loss_kernel(SaeLoss op) {
  if (my_number() > 0) return;
  double sums[3] = {};
  for (std::int64_t row = 0; row < op.n; ++row) {
    sums[0] += op.square[row];
    sums[1] += op.square_multi[row];
    if (op.square_auxiliary != nullptr) sums[2] += op.square_auxiliary[row];
  }
  const auto size = static_cast<double>(op.n * op.d);
  const double floor = SaeLoss::smallest_share * size;
  op.terms[0] = sums[0] / size;
  op.terms[1] = sums[1] / size;
  op.terms[2] = sums[2] / (sums[0] > floor ? sums[0] : floor);
  op.terms[3] = op.terms[0] + SaeLoss::multi_share * op.terms[1] + SaeLoss::auxiliary_share * op.terms[2];
}

}  // namespace

void run(const Call& call, const GatherCentred<float>& op) {
  launch(call, one_each(op.n * op.d), gather_centred_kernel, op);
}

void run(const Call& call, const EncodeTopK<float>& op) {
  const Temporary<float> z(call, op.n * op.h);
  EncodeTopK<float> with_z = op;
  if (op.z == nullptr) with_z.z = z.get();
  launch(call, one_each(op.n * op.h), encode_kernel, with_z);
  if (op.keep > 0) launch(call, one_each(op.n), keep_largest_kernel, with_z);
}

void run(const Call& call, const SaeDecode<float>& op) {
  launch(call, one_each(op.n), decode_kernel, op);
  launch(call, one_each(op.n * op.keep), slope_kernel, op);
}

void run(const Call& call, const SaeGradient<float>& op) {
  launch(call, one_each(op.h * op.d), gradient_kernel, op);
  launch(call, one_each(op.d), pre_bias_kernel, op);
}

void run(const Call& call, const SaeAuxiliary<float>& op) {
  const Temporary<double> factor(call, 1);
  const Temporary<float> activation(call, op.n * op.h);
  const Temporary<float> f(call, op.n * op.d);
  const Temporary<float> slope(call, op.n * op.h);
  launch(call, one_each(1), factor_kernel, op, factor.get());
  launch(call, one_each(op.n * op.h), dead_activation_kernel, op, activation.get());
  launch(call, one_each(op.n * op.d), dead_residual_kernel, op, activation.get(), f.get());
  launch(call, one_each(op.n), dead_square_kernel, op, f.get());
  launch(call, one_each(op.n * op.h), dead_slope_kernel, op, factor.get(), activation.get(), f.get(),
         slope.get());
  launch(call, one_each(op.h * op.d), dead_gradient_kernel, op, factor.get(), activation.get(), f.get(),
         slope.get());
  launch(call, one_each(op.d), dead_pre_bias_kernel, op, slope.get());
}

void run(const Call& call, const SaeAdam<float>& op) {
  launch(call, one_each(op.rows), adam_kernel, op, adam_coefficients(op));
}
void run(const Call& call, const SaeIdle<float>& op) {
  launch(call, one_each(op.h), idle_kernel, op);
}
void run(const Call& call, const SaeDead& op) {
  launch(call, one_each(1), dead_kernel, op);
}
void run(const Call& call, const SaeLoss& op) {
  launch(call, one_each(1), loss_kernel, op);
}

}  // namespace incipit::device::bench::naive
