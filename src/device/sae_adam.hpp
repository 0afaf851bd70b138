#pragma once

#include <cmath>
#include <cstdint>

namespace incipit::device {

/// One Adam step on rows×d parameters, in one pass over parameter, gradient and both moments:
///   m = β₁ m + (1−β₁) g,  v = β₂ v + (1−β₂) g²,  w −= rate · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε).
/// With unit_rows, g loses its part parallel to its row before, and the row is scaled to unit norm after.
/// Every row stands alone, so problems one behind the other are a problem of more rows.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeAdam {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  bool unit_rows = false;
  std::int64_t step = 0;  ///< t, from 1
  double rate = 0;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  const T* gradient = nullptr;  ///< rows×d
  T* parameter = nullptr;       ///< rows×d
  T* first = nullptr;           ///< rows×d, m
  T* second = nullptr;          ///< rows×d, v
};

/// What a step multiplies by, the same for every parameter and on every device.
template <class T>
struct AdamCoefficients {
  T rate;  ///< with the first moment's bias correction
  T root;  ///< 1/√(1 − β₂ᵗ)
  T keep1, add1, keep2, add2;
  T epsilon;
};

template <class T>
[[nodiscard]] AdamCoefficients<T> adam_coefficients(const SaeAdam<T>& op) {
  const auto t = static_cast<double>(op.step);
  return {.rate = static_cast<T>(op.rate / (1 - std::pow(op.beta1, t))),
          .root = static_cast<T>(1 / std::sqrt(1 - std::pow(op.beta2, t))),
          .keep1 = static_cast<T>(op.beta1),
          .add1 = static_cast<T>(1 - op.beta1),
          .keep2 = static_cast<T>(op.beta2),
          .add2 = static_cast<T>(1 - op.beta2),
          .epsilon = static_cast<T>(op.epsilon)};
}

}  // namespace incipit::device
