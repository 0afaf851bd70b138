#pragma once

#include <cstdint>

#include "device/number.hpp"

namespace incipit::device {

/// gelu is the exact x·Φ(x); gelu_tanh is x/2·(1 + tanh(√(2/π)(x + 0.044715 x³))), the names gelu_new and
/// gelu_fast of Hugging Face; relu is max(x, 0).
enum class Nonlinearity { gelu, gelu_tanh, relu };

/// x = f(x + bias), in place; in fp32, then rounded to T.
template <Number T>
struct BiasActivation {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  Nonlinearity f = Nonlinearity::gelu;
  const float* bias = nullptr;  ///< [d] or null
  T* x = nullptr;               ///< [rows, d]
};

}  // namespace incipit::device
