#pragma once

#include <cstdint>

#include "device/device.hpp"

/// What decoders and encoders are made of alike.
namespace incipit::model {

/// out = layer norm of x, [rows, d], with the configuration's epsilon. `out` may be `x`.
template <device::Number T, class Config>
void layer_norm(device::Device& device, const Config& config, std::int64_t rows, const float* x,
                const float* weight, const float* bias, T* out) {
  device.double_layer_norm(device::DoubleLayerNorm<T>{.rows = rows,
                                                      .d = config.d,
                                                      .eps = static_cast<float>(config.norm_eps),
                                                      .x = x,
                                                      .weight_a = weight,
                                                      .bias_a = bias,
                                                      .out_a = out});
}

/// out[rows, outputs] = in · weightᵀ + beta · out, weight being [outputs, inputs] as the files hold it.
template <device::Number T, class C>
void project(device::Device& device, std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
             const T* in, const T* weight, C* out, float beta) {
  device.matmul(device::MatrixProduct<T, C>{.transpose_b = true,
                                            .m = rows,
                                            .n = outputs,
                                            .k = inputs,
                                            .a = in,
                                            .lda = inputs,
                                            .b = weight,
                                            .ldb = inputs,
                                            .beta = beta,
                                            .c = out,
                                            .ldc = outputs});
}

}  // namespace incipit::model
