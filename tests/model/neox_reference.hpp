#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"

/// GPT-NeoX in fp64 with plain loops, one text at a time, as its authors' implementation defines it.
namespace incipit::model::reference {

using Matrix = std::vector<std::vector<double>>;  ///< [token][feature]

inline std::vector<double> tensor(const checkpoint::Weights& weights, const std::string& name) {
  const std::vector<float> values = weights.read(weights.at(name));
  return {values.begin(), values.end()};
}

/// x Wᵀ + bias; `bias` may be empty.
inline Matrix linear(const Matrix& x, const std::vector<double>& weight, const std::vector<double>& bias) {
  Matrix out;
  for (const std::vector<double>& row : x) {
    const std::size_t outputs = weight.size() / row.size();
    std::vector<double> y(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      y[o] = bias.empty() ? 0 : bias[o];
      for (std::size_t i = 0; i < row.size(); ++i) y[o] += weight[o * row.size() + i] * row[i];
    }
    out.push_back(y);
  }
  return out;
}

inline Matrix layer_norm(const Matrix& x, const std::vector<double>& weight, const std::vector<double>& bias,
                         double eps) {
  Matrix out = x;
  for (std::vector<double>& row : out) {
    double mean = 0;
    double variance = 0;
    for (const double value : row) mean += value / static_cast<double>(row.size());
    for (const double value : row)
      variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = (row[j] - mean) / std::sqrt(variance + eps) * weight[j] + bias[j];
    }
  }
  return out;
}

inline double activate(checkpoint::Activation activation, double x) {
  switch (activation) {
    case checkpoint::Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case checkpoint::Activation::gelu_new:
    case checkpoint::Activation::gelu_fast:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case checkpoint::Activation::relu:
      return x > 0 ? x : 0;
  }
  throw std::logic_error("activation");
}

/// Rotates the first dimensions of one head, whose numbers begin at `head`.
inline void rotate(double* head, std::int64_t position, const checkpoint::Config& config) {
  const std::int64_t half = config.rotary_dims() / 2;
  for (std::int64_t j = 0; j < half; ++j) {
    // The frequencies and angles of the original are fp32 numbers.
    const auto frequency = static_cast<float>(std::pow(
        config.rotary_base, -2.0 * static_cast<double>(j) / static_cast<double>(config.rotary_dims())));
    const double angle = static_cast<float>(position) * frequency;
    const double a = head[j];
    const double b = head[j + half];
    head[j] = a * std::cos(angle) - b * std::sin(angle);
    head[j + half] = b * std::cos(angle) + a * std::sin(angle);
  }
}

/// `qkv` rows are [heads, 3, head_size].
inline Matrix attention(Matrix qkv, const checkpoint::Config& config) {
  const auto size = static_cast<std::size_t>(config.head_size());
  const auto heads = static_cast<std::size_t>(config.heads);
  Matrix out(qkv.size(), std::vector<double>(heads * size));
  for (std::size_t h = 0; h < heads; ++h) {
    const std::size_t q = h * 3 * size;
    const std::size_t k = q + size;
    const std::size_t v = k + size;
    for (std::size_t t = 0; t < qkv.size(); ++t) {
      rotate(qkv[t].data() + q, static_cast<std::int64_t>(t), config);
      rotate(qkv[t].data() + k, static_cast<std::int64_t>(t), config);
    }
    for (std::size_t t = 0; t < qkv.size(); ++t) {
      std::vector<double> weight(t + 1);
      double sum = 0;
      for (std::size_t s = 0; s <= t; ++s) {
        double dot = 0;
        for (std::size_t j = 0; j < size; ++j) dot += qkv[t][q + j] * qkv[s][k + j];
        sum += weight[s] = std::exp(dot / std::sqrt(static_cast<double>(size)));
      }
      for (std::size_t s = 0; s <= t; ++s) {
        for (std::size_t j = 0; j < size; ++j) out[t][h * size + j] += weight[s] / sum * qkv[s][v + j];
      }
    }
  }
  return out;
}

inline void add(Matrix& x, const Matrix& y) {
  for (std::size_t t = 0; t < x.size(); ++t) {
    for (std::size_t j = 0; j < x[t].size(); ++j) x[t][j] += y[t][j];
  }
}

/// What the attention (else the MLP) of block `layer`, from 1 on, adds at the last token instead of its own.
struct Replaced {
  std::size_t layer;
  bool attention;
  std::vector<double> by;
};

/// What the blocks add at the last token, [layers + 1][d], zero at layer 0.
struct Added {
  Matrix attention, mlp;
};

/// Residuals of all tokens after each layer: [layers + 1][token][d].
inline std::vector<Matrix> forward(const checkpoint::Weights& weights, const checkpoint::Config& config,
                                   const std::vector<std::int32_t>& tokens, Added* added = nullptr,
                                   const std::vector<Replaced>& replaced = {}) {
  const auto component = [&](Matrix out, bool attention, std::size_t layer) {
    for (const Replaced& one : replaced)
      if (one.layer == layer && one.attention == attention) out.back() = one.by;
    if (added != nullptr) (attention ? added->attention : added->mlp).push_back(out.back());
    return out;
  };
  if (added != nullptr)
    *added = {Matrix(1, std::vector<double>(static_cast<std::size_t>(config.d))),
              Matrix(1, std::vector<double>(static_cast<std::size_t>(config.d)))};
  const std::vector<double> embedding = tensor(weights, "gpt_neox.embed_in.weight");
  const auto d = static_cast<std::ptrdiff_t>(config.d);
  Matrix x;
  for (const std::int32_t token : tokens) {
    x.emplace_back(embedding.begin() + token * d, embedding.begin() + (token + 1) * d);
  }
  std::vector<Matrix> layers = {x};
  for (std::int64_t l = 0; l < config.layers; ++l) {
    const std::string prefix = "gpt_neox.layers." + std::to_string(l) + ".";
    const auto get = [&](const std::string& name) { return tensor(weights, prefix + name); };
    const auto bias = [&](const std::string& name) {
      return config.attention_bias ? get(name) : std::vector<double>();
    };
    const auto normed = [&](const Matrix& in, const std::string& name) {
      return layer_norm(in, get(name + ".weight"), get(name + ".bias"), config.norm_eps);
    };
    const Matrix n1 = normed(x, "input_layernorm");
    const Matrix before = x;
    const Matrix qkv =
        linear(n1, get("attention.query_key_value.weight"), bias("attention.query_key_value.bias"));
    const std::size_t layer = layers.size();
    add(x,
        component(linear(attention(qkv, config), get("attention.dense.weight"), bias("attention.dense.bias")),
                  true, layer));
    Matrix hidden = linear(normed(config.parallel_residual ? before : x, "post_attention_layernorm"),
                           get("mlp.dense_h_to_4h.weight"), get("mlp.dense_h_to_4h.bias"));
    for (std::vector<double>& row : hidden) {
      for (double& value : row) value = activate(config.activation, value);
    }
    add(x, component(linear(hidden, get("mlp.dense_4h_to_h.weight"), get("mlp.dense_4h_to_h.bias")), false,
                     layer));
    layers.push_back(x);
  }
  return layers;
}

}  // namespace incipit::model::reference
