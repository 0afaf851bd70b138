#pragma once

#include <cstdint>

#include "device/number.hpp"
#include "pack.cuh"

#ifndef INCIPIT_SHIM
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

/// The numbers of the forward pass on the device: by its own instructions, on the host's shim by
/// device/number.hpp.
namespace incipit::device::cuda {

#ifdef INCIPIT_SHIM

template <Number T>
float widen(T x) {
  return to_float(x);
}
template <Number T>
T narrow(float x) {
  return round_to<T>(x);
}

#else

__device__ __forceinline__ float widen(float x) {
  return x;
}
__device__ __forceinline__ float widen(Float16 x) {
  return __half2float(__ushort_as_half(x.bits));
}
__device__ __forceinline__ float widen(BFloat16 x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16U);
}

/// To the nearest, ties to even.
template <Number T>
__device__ __forceinline__ T narrow(float x) {
  if constexpr (std::same_as<T, Float16>) {
    return {__half_as_ushort(__float2half_rn(x))};
  } else if constexpr (std::same_as<T, BFloat16>) {
    return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
  } else {
    return x;
  }
}

#endif

/// A pack of T as fp32, and one of fp32 rounded to T.
template <int width, Number T>
__device__ __forceinline__ Pack<float, width> load_wide(const T* array, std::int64_t i) {
  const Pack<T, width> narrow_pack = load<width>(array, i);
  Pack<float, width> wide;
  for (int u = 0; u < width; ++u) wide.value[u] = widen(narrow_pack.value[u]);
  return wide;
}
template <int width, Number T>
__device__ __forceinline__ void store_rounded(T* array, std::int64_t i, const Pack<float, width>& wide) {
  Pack<T, width> rounded;
  for (int u = 0; u < width; ++u) rounded.value[u] = narrow<T>(wide.value[u]);
  store(array, i, rounded);
}

}  // namespace incipit::device::cuda
