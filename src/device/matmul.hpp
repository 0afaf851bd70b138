#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "device/number.hpp"

namespace incipit::device {

/// C = alpha · op(A) · op(B) + beta · C, everything row-major; A and B hold T, C holds Result. T is float,
/// double, Float16 or BFloat16; Result is T, or float for the two of 16 bits.
///
/// op(A) is m×k: A itself with rows `lda` apart, or with `transpose_a` a stored k×m matrix. op(B) is k×n
/// likewise. With beta = 0 what C holds is not read. Sums of 16-bit products are fp32 and rounded once to
/// Result. They are taken in an order that is a function of the shape alone, so the result does not depend on
/// how many threads run.
template <class T, class Result = T>
struct MatrixProduct {
  static_assert(std::same_as<T, Result> || (Number<T> && std::same_as<Result, float>));
  /// Of alpha, beta and the sums.
  using Scalar = std::conditional_t<std::same_as<T, double>, double, float>;

  bool transpose_a = false;
  bool transpose_b = false;
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  Scalar alpha = 1;
  const T* a = nullptr;
  std::int64_t lda = 0;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  Scalar beta = 0;
  Result* c = nullptr;
  std::int64_t ldc = 0;
};

/// The product in fp32.
using Matmul = MatrixProduct<float>;

}  // namespace incipit::device
