#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace incipit::device::cuda {

/// What a pack of `width` T lies at a multiple of: what one instruction of a thread loads or stores, 16 bytes
/// at most.
template <class T, int width>
inline constexpr std::size_t pack_bytes = sizeof(T) * width < 16 ? sizeof(T) * width : 16;

/// `width` neighbours, loaded and stored by as few instructions as can be.
template <class T, int width>
struct alignas(pack_bytes<T, width>) Pack {
  T value[width];
};

/// How many T a thread loads at best.
template <class T>
inline constexpr int widest = 16 / static_cast<int>(sizeof(T));

template <int width, class T>
__device__ __forceinline__ Pack<T, width> load(const T* array, std::int64_t i) {
  return *reinterpret_cast<const Pack<T, width>*>(array + i);
}

template <int width, class T>
__device__ __forceinline__ void store(T* array, std::int64_t i, const Pack<T, width>& pack) {
  *reinterpret_cast<Pack<T, width>*>(array + i) = pack;
}

/// Whether rows of d elements each, in all of these arrays, can be walked in whole packs. Null is no
/// hindrance.
template <int width, class... T>
bool packable(std::int64_t d, const T*... arrays) {
  return d % width == 0 && ((reinterpret_cast<std::uintptr_t>(arrays) % pack_bytes<T, width> == 0) && ...);
}

}  // namespace incipit::device::cuda
