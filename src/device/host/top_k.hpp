#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "device/host/simd.hpp"

namespace incipit::device::host {

/// Above this many kept, a partial sort beats insertion.
constexpr std::int64_t most_inserted = 16;

/// A short list kept sorted while the numbers pass by.
template <class T>
class ShortList {
 public:
  ShortList(std::int64_t keep, std::int32_t* index, T* value) : keep_(keep), index_(index), value_(value) {}

  void offer(T z, std::int64_t i) {
    if (held_ == keep_ && !(z > value_[keep_ - 1])) return;
    std::int64_t at = held_ < keep_ ? held_++ : keep_ - 1;
    for (; at > 0 && z > value_[at - 1]; --at) {
      value_[at] = value_[at - 1];
      index_[at] = index_[at - 1];
    }
    value_[at] = z;
    index_[at] = static_cast<std::int32_t>(i);
  }
  void offer(const T* z, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) offer(z[i], i);
  }
  /// What a number must exceed to enter a full list.
  [[nodiscard]] T least() const { return value_[keep_ - 1]; }

 private:
  std::int64_t keep_;
  std::int64_t held_ = 0;
  std::int32_t* index_;
  T* value_;
};

/// Whether one of `count` vectors of numbers holds one larger than `least`.
template <class T>
bool any_larger(const T* z, std::int64_t count, T least) {
  using S = Simd<T>;
  typename S::Vector next;
  S::load(next, z);
  auto larger = next > least;
  for (std::int64_t u = 1; u < count; ++u) {
    S::load(next, z + u * S::lanes);
    larger |= next > least;
  }
  std::uint64_t part[4];
  std::memcpy(part, &larger, sizeof part);
  return (part[0] | part[1] | part[2] | part[3]) != 0;
}

/// Most blocks of numbers hold none that enters the list.
template <class T>
void top_k_by_insertion(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value) {
  constexpr std::int64_t width = Simd<T>::lanes;
  constexpr std::int64_t vectors = 4;
  ShortList<T> list(keep, index, value);
  std::int64_t start = std::min(n, std::max(keep, vectors * width));
  list.offer(z, 0, start);
  for (; start + vectors * width <= n; start += vectors * width) {
    if (!any_larger(z + start, vectors, list.least())) continue;
    for (std::int64_t u = start; u < start + vectors * width; u += width)
      if (any_larger(z + u, 1, list.least())) list.offer(z, u, u + width);
  }
  list.offer(z, start, n);
}

/// The larger first, and the lower index among equals.
template <class T>
auto larger_first(const T* z) {
  return [z](std::int32_t a, std::int32_t b) { return z[a] > z[b] || (z[a] == z[b] && a < b); };
}

/// The `keep` largest of n numbers (none NaN) in no order; order: n, of which the first `keep` are the
/// answer.
template <class T>
void top_k_unsorted(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* order) {
  std::iota(order, order + n, 0);
  if (keep < n) std::nth_element(order, order + keep, order + n, larger_first(z));
}

template <class T>
void top_k_by_sort(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value,
                   std::int32_t* scratch) {
  top_k_unsorted(z, n, keep, scratch);
  std::sort(scratch, scratch + keep, larger_first(z));
  for (std::int64_t t = 0; t < keep; ++t) {
    index[t] = scratch[t];
    value[t] = z[scratch[t]];
  }
}

/// The `keep` largest of n numbers (none NaN), the largest first, ties to the lower index. scratch: n.
template <class T>
void top_k(const T* z, std::int64_t n, std::int64_t keep, std::int32_t* index, T* value,
           std::int32_t* scratch) {
  if (keep <= most_inserted) {
    top_k_by_insertion(z, n, keep, index, value);
  } else {
    top_k_by_sort(z, n, keep, index, value, scratch);
  }
}

}  // namespace incipit::device::host
