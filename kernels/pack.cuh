#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace incipit::device::cuda {

/// `width` neighbours, loaded and stored by one instruction: up to 16 bytes of a thread.
template <class T, int width>
struct alignas(sizeof(T) * width) Pack {
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

/// Whether rows of d T each, in all of these arrays, can be walked in whole packs. Null is no hindrance.
template <int width, class T, class... Arrays>
bool packable(std::int64_t d, const T* first, const Arrays*... others) {
  const auto aligned = [](const void* array) {
    return reinterpret_cast<std::uintptr_t>(array) % (sizeof(T) * width) == 0;
  };
  return d % width == 0 && aligned(first) && (aligned(others) && ...);
}

}  // namespace incipit::device::cuda
