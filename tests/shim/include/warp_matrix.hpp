#pragma once

#include <array>

#include "block.hpp"
#include "device/number.hpp"

/// A warp's matrix products on the host, by the names of kernels/fragment.cuh: every lane holds what it holds
/// on a device, reads it from shared memory by itself, and sees the other lanes' operands only to multiply.
namespace incipit::device::cuda {

/// What the lanes of the warp that runs now hand in, for a moment that no other warp interrupts. As on a
/// device it orders no memory.
template <class T, class Use>
void with_all_lanes(const T& mine, Use use) {
  thread_local std::array<const void*, shim::warp_size> lanes;
  shim::Block& block = shim::Block::current();
  const auto meet = [&] {
    block.collective(
        {.kind = shim::Collective::product, .mask = 0xffffffffU, .where = std::source_location::current()});
  };
  lanes[static_cast<std::size_t>(block.lane())] = &mine;
  meet();
  use([&](int lane) -> const T& { return *static_cast<const T*>(lanes[static_cast<std::size_t>(lane)]); });
  meet();
}

inline int lane_group() {
  return shim::Block::current().lane() / 4;
}
inline int lane_in_group() {
  return shim::Block::current().lane() % 4;
}

inline unsigned pair_of(unsigned low, unsigned high) {
  return low | high << 16U;
}

template <HalfNumber T>
float half_of(unsigned pair, int which) {
  return to_float(T{static_cast<std::uint16_t>(pair >> (16U * static_cast<unsigned>(which)))});
}

template <HalfNumber T>
unsigned element(Shared<T> tile, std::int64_t i) {
  return T(tile[i]).bits;
}

template <class T>
void check_rows(Shared<T> tile, int stride) {
  if (tile.first() % 8 != 0 || stride % 8 != 0)
    shim::Block::current().violation("misaligned matrix in shared memory");
}

template <HalfNumber T>
LeftFragment<T> load_left(Shared<T> tile, int stride) {
  check_rows(tile, stride);
  LeftFragment<T> a;
  for (int i = 0; i < 4; ++i) {
    const int place = (lane_group() + 8 * (i % 2)) * stride + 2 * lane_in_group() + 8 * (i / 2);
    a.pair[i] = pair_of(element(tile, place), element(tile, place + 1));
  }
  return a;
}

template <HalfNumber T>
void load_right(Shared<T> tile, int stride, RightFragment<T> (&b)[2]) {
  check_rows(tile, stride);
  for (int i = 0; i < 4; ++i) {
    const int place = (lane_group() + 8 * (i / 2)) * stride + 2 * lane_in_group() + 8 * (i % 2);
    b[i / 2].pair[i % 2] = pair_of(element(tile, place), element(tile, place + 1));
  }
}

template <HalfNumber T>
void load_right_transposed(Shared<T> tile, int stride, RightFragment<T> (&b)[2]) {
  check_rows(tile, stride);
  for (int i = 0; i < 4; ++i) {
    const int place = (2 * lane_in_group() + 8 * (i % 2)) * stride + lane_group() + 8 * (i / 2);
    b[i / 2].pair[i % 2] = pair_of(element(tile, place), element(tile, place + stride));
  }
}

template <HalfNumber T>
void multiply_add(FragmentSums& sums, const LeftFragment<T>& a, const RightFragment<T>& b) {
  struct Operands {
    LeftFragment<T> a;
    RightFragment<T> b;
  };
  with_all_lanes(Operands{a, b}, [&](auto lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane_group() + 8 * (i / 2);
      const int column = 2 * lane_in_group() + i % 2;
      for (int l = 0; l < 16; ++l) {
        const unsigned left = lane(row % 8 * 4 + l % 8 / 2).a.pair[row / 8 + 2 * (l / 8)];
        const unsigned right = lane(column * 4 + l % 8 / 2).b.pair[l / 8];
        sums.value[i] += half_of<T>(left, l % 2) * half_of<T>(right, l % 2);
      }
    }
  });
}

template <HalfNumber T>
unsigned rounded_pair(float low, float high) {
  return pair_of(round_to<T>(low).bits, round_to<T>(high).bits);
}

template <HalfNumber T>
void begin_copy(Shared<T> to, const T* from, bool there) {
  if (there && reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
    shim::Block::current().violation("misaligned copy into shared memory");
  store(to, 0, there ? load<8>(from, 0) : Pack<T, 8>{});
}
inline void finish_copies() {}

}  // namespace incipit::device::cuda
