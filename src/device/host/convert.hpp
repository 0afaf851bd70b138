#pragma once

#include <cstdint>

#include "device/number.hpp"

/// Arrays between the numbers they are kept in and the fp32 they are computed in.
namespace incipit::device::host {

/// Rows of `columns` numbers, `ld` apart.
template <class T>
struct Rows {
  T* data;
  std::int64_t ld;
};

/// to = from, for rows × columns.
template <Number T>
void widen(Rows<const T> from, std::int64_t rows, std::int64_t columns, Rows<float> to) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* in = from.data + i * from.ld;
    float* out = to.data + i * to.ld;
#pragma omp simd
    for (std::int64_t j = 0; j < columns; ++j) out[j] = to_float(in[j]);
  }
}

/// to = from rounded, for rows × columns.
template <Number T>
void narrow(Rows<const float> from, std::int64_t rows, std::int64_t columns, Rows<T> to) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* in = from.data + i * from.ld;
    T* out = to.data + i * to.ld;
#pragma omp simd
    for (std::int64_t j = 0; j < columns; ++j) out[j] = round_to<T>(in[j]);
  }
}

}  // namespace incipit::device::host
