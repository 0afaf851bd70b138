#pragma once

#include <cstdint>
#include <cstring>

namespace incipit::device::host {

/// Vector loops with a fixed order of summation: four accumulators of 32 bytes, added up in one order, so
/// that results are a function of the arguments alone, whatever the compiler makes of plain loops. T: float,
/// double.
template <class T>
struct Simd {
  using Vector [[gnu::vector_size(32)]] = T;
  static constexpr std::int64_t lanes = 32 / sizeof(T);

  static void load(Vector& vector, const T* from) { std::memcpy(&vector, from, sizeof vector); }
  static void store(T* to, const Vector& vector) { std::memcpy(to, &vector, sizeof vector); }

  /// Four accumulators added in pairs, and then their lanes.
  static double sum(const Vector (&part)[4]) {
    const Vector all = (part[0] + part[1]) + (part[2] + part[3]);
    double even = 0;
    double odd = 0;
    for (std::int64_t lane = 0; lane < lanes; lane += 2) {
      even += static_cast<double>(all[lane]);
      odd += static_cast<double>(all[lane + 1]);
    }
    return even + odd;
  }
};

/// Σ a_i b_i
template <class T>
double dot(const T* a, const T* b, std::int64_t n) {
  using S = Simd<T>;
  typename S::Vector part[4] = {};
  typename S::Vector left;
  typename S::Vector right;
  std::int64_t i = 0;
  for (; i + 4 * S::lanes <= n; i += 4 * S::lanes) {
    for (std::int64_t u = 0; u < 4; ++u) {
      S::load(left, a + i + u * S::lanes);
      S::load(right, b + i + u * S::lanes);
      part[u] += left * right;
    }
  }
  double tail = 0;
  for (; i < n; ++i) tail += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return S::sum(part) + tail;
}

/// y += alpha · x
template <class T>
void axpy(T alpha, const T* x, T* y, std::int64_t n) {
  using S = Simd<T>;
  typename S::Vector source;
  typename S::Vector target;
  std::int64_t i = 0;
  for (; i + S::lanes <= n; i += S::lanes) {
    S::load(source, x + i);
    S::load(target, y + i);
    target += alpha * source;
    S::store(y + i, target);
  }
  for (; i < n; ++i) y[i] += alpha * x[i];
}

/// One row of a sum of rows.
template <class T>
struct Term {
  T factor;
  const T* row;
};

/// out = from + Σ factor · row, in the order of the terms; `from` may be null (zeros) or out itself. The sums
/// stay in registers for eight terms at a time.
template <class T>
void combine(const T* from, const Term<T>* terms, std::int64_t count, T* out, std::int64_t n) {
  using S = Simd<T>;
  constexpr std::int64_t most_terms = 8;
  constexpr std::int64_t wide = 8;
  for (std::int64_t begin = 0; begin == 0 || begin < count; begin += most_terms) {
    const std::int64_t end = begin + most_terms < count ? begin + most_terms : count;
    std::int64_t i = 0;
    for (; i + wide * S::lanes <= n; i += wide * S::lanes) {
      typename S::Vector sum[wide] = {};
      typename S::Vector source;
      if (from != nullptr)
        for (std::int64_t u = 0; u < wide; ++u) S::load(sum[u], from + i + u * S::lanes);
      for (std::int64_t t = begin; t < end; ++t) {
        for (std::int64_t u = 0; u < wide; ++u) {
          S::load(source, terms[t].row + i + u * S::lanes);
          sum[u] += terms[t].factor * source;
        }
      }
      for (std::int64_t u = 0; u < wide; ++u) S::store(out + i + u * S::lanes, sum[u]);
    }
    for (; i < n; ++i) {
      T sum = from != nullptr ? from[i] : T{0};
      for (std::int64_t t = begin; t < end; ++t) sum += terms[t].factor * terms[t].row[i];
      out[i] = sum;
    }
    from = out;
  }
}

}  // namespace incipit::device::host
