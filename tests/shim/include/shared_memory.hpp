#pragma once

#include <cstddef>
#include <cstdint>

#include "block.hpp"

/// Shared memory as kernels see it on the host: each access is checked for bounds, for reads before writes
/// and for races, by element. The names are those of kernels/shared.cuh, which is pointers on a device.
namespace incipit::device::cuda {

template <class T>
class SharedReference {
 public:
  SharedReference(shim::SharedArray& array, std::int64_t i) : array_(array), i_(i) {}
  SharedReference(const SharedReference&) = default;

  // NOLINTNEXTLINE(google-explicit-constructor): it stands for a T&.
  operator T() const { return *static_cast<const T*>(shim::Block::current().read(array_, i_)); }
  const SharedReference& operator=(T value) const {
    *static_cast<T*>(shim::Block::current().write(array_, i_)) = value;
    return *this;
  }
  const SharedReference& operator=(const SharedReference& other) const { return *this = T(other); }
  const SharedReference& operator+=(T value) const { return *this = T(*this) + value; }

 private:
  shim::SharedArray& array_;
  std::int64_t i_;
};

template <class T>
class Shared {
 public:
  Shared(shim::SharedArray& array, std::int64_t first) : array_(&array), first_(first) {}

  SharedReference<T> operator[](std::int64_t i) const { return {*array_, first_ + i}; }
  Shared operator+(std::int64_t i) const { return {*array_, first_ + i}; }
  [[nodiscard]] shim::SharedArray& array() const { return *array_; }
  [[nodiscard]] std::int64_t first() const { return first_; }

 private:
  shim::SharedArray* array_;
  std::int64_t first_;
};

template <class Tag, class T, int size>
Shared<T> shared_array() {
  static const char key = 0;
  return {shim::Block::current().static_array(&key, size, sizeof(T)), 0};
}

template <class T>
Shared<T> dynamic_shared(std::size_t offset, std::size_t size) {
  return {shim::Block::current().dynamic_array(offset, size, sizeof(T)), 0};
}

inline int atomic_add(Shared<int> counters, std::int64_t i, int value) {
  int* place =
      static_cast<int*>(shim::Block::current().update_atomically(counters.array(), counters.first() + i));
  const int before = *place;
  *place += value;
  return before;
}

template <int width, class T>
Pack<T, width> load(Shared<T> array, std::int64_t i) {
  if ((array.first() + i) % width != 0) shim::Block::current().violation("misaligned read of shared memory");
  Pack<T, width> pack;
  for (int u = 0; u < width; ++u) pack.value[u] = array[i + u];
  return pack;
}

template <int width, class T>
void store(Shared<T> array, std::int64_t i, const Pack<T, width>& pack) {
  if ((array.first() + i) % width != 0) shim::Block::current().violation("misaligned write of shared memory");
  for (int u = 0; u < width; ++u) array[i + u] = pack.value[u];
}

}  // namespace incipit::device::cuda
