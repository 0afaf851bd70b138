#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

/// Reductions of a row in a fixed order: sixteen partial results, combined as a tree. The order is spelled
/// out rather than left to the compiler, so that it does not change with the vector width.
namespace incipit::device::host {

using Lanes = float __attribute__((vector_size(32)));
inline constexpr std::int64_t lanes = sizeof(Lanes) / sizeof(float);

inline Lanes load(const float* x) {
  Lanes v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

inline float sum_of(Lanes v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

/// Σ f(x[i]); f must take both Lanes and float.
template <class F>
inline float lane_sum(const float* x, std::int64_t n, F f) {
  Lanes a = {};
  Lanes b = {};
  std::int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a += f(load(x + i));
    b += f(load(x + i + lanes));
  }
  float rest = 0.0F;
  for (; i < n; ++i) rest += f(x[i]);
  return sum_of(a + b) + rest;
}

/// The largest of n ≥ 1 numbers; NaN may be passed over.
inline float lane_max(const float* x, std::int64_t n) {
  if (n < lanes) return *std::max_element(x, x + n);
  Lanes a = load(x);
  for (std::int64_t i = lanes; i + lanes <= n; i += lanes) {
    const Lanes v = load(x + i);
    a = v > a ? v : a;
  }
  // The end again, overlapping: a maximum does not mind.
  const Lanes last = load(x + n - lanes);
  a = last > a ? last : a;
  float most = a[0];
  for (int j = 1; j < lanes; ++j) most = std::max(most, a[j]);
  return most;
}

}  // namespace incipit::device::host
