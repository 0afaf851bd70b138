#pragma once

#include <concepts>

#include "number.cuh"
#include "shared.cuh"

/// Matrix products by a warp: 16×16 times 16×8 numbers of 16 bits with fp32 sums, by the tensor cores of
/// compute capability 8.0 and later. Operands come from shared memory, `stride` elements between rows, which
/// lie at multiples of 16 bytes. All lanes must take part. The host's shim has its own
/// (tests/shim/include/warp_matrix.hpp).
namespace incipit::device::cuda {

template <class T>
concept HalfNumber = std::same_as<T, Float16> || std::same_as<T, BFloat16>;

/// What a lane holds of each, as mma.sync.m16n8k16 has it. With g = lane / 4 and t = lane % 4, and two
/// neighbours in a register, the lower in its low half:
///
///     left  16×16   pair[i]  = row g + 8·(i % 2), columns 2t + 8·(i / 2) and the next
///     right 16×8    pair[i]  = column g, rows 2t + 8·i and the next
///     sums  16×8    value[i] = row g + 8·(i / 2), column 2t + i % 2
template <HalfNumber T>
struct LeftFragment {
  unsigned pair[4];
};
template <HalfNumber T>
struct RightFragment {
  unsigned pair[2];
};
struct FragmentSums {
  float value[4];
};

}  // namespace incipit::device::cuda

#ifdef INCIPIT_SHIM
#include "warp_matrix.hpp"
#else

namespace incipit::device::cuda {

/// Four 8×8 matrices, of which lane l names row l % 8 of the matrix l / 8.
template <HalfNumber T>
__device__ __forceinline__ void load_matrices(Shared<T> row, unsigned& a, unsigned& b, unsigned& c,
                                              unsigned& d) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
template <HalfNumber T>
__device__ __forceinline__ void load_matrices_transposed(Shared<T> row, unsigned& a, unsigned& b, unsigned& c,
                                                         unsigned& d) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}

/// The 16×16 operand whose element (i, l) is tile[i · stride + l].
template <HalfNumber T>
__device__ __forceinline__ LeftFragment<T> load_left(Shared<T> tile, int stride) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  LeftFragment<T> a;
  load_matrices<T>(tile + lane % 16 * stride + lane / 16 * 8, a.pair[0], a.pair[1], a.pair[2], a.pair[3]);
  return a;
}

/// Two 16×8 operands side by side; element (l, j) is tile[j · stride + l].
template <HalfNumber T>
__device__ __forceinline__ void load_right(Shared<T> tile, int stride, RightFragment<T> (&b)[2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  load_matrices<T>(tile + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8, b[0].pair[0], b[0].pair[1],
                   b[1].pair[0], b[1].pair[1]);
}

/// Two 16×8 operands side by side; element (l, j) is tile[l · stride + j].
template <HalfNumber T>
__device__ __forceinline__ void load_right_transposed(Shared<T> tile, int stride, RightFragment<T> (&b)[2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  load_matrices_transposed<T>(tile + lane % 16 * stride + lane / 16 * 8, b[0].pair[0], b[0].pair[1],
                              b[1].pair[0], b[1].pair[1]);
}

/// sums += a · b
template <HalfNumber T>
__device__ __forceinline__ void multiply_add(FragmentSums& sums, const LeftFragment<T>& a,
                                             const RightFragment<T>& b) {
  if constexpr (std::same_as<T, Float16>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums.value[0]), "+f"(sums.value[1]), "+f"(sums.value[2]), "+f"(sums.value[3])
        : "r"(a.pair[0]), "r"(a.pair[1]), "r"(a.pair[2]), "r"(a.pair[3]), "r"(b.pair[0]), "r"(b.pair[1]));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sums.value[0]), "+f"(sums.value[1]), "+f"(sums.value[2]), "+f"(sums.value[3])
        : "r"(a.pair[0]), "r"(a.pair[1]), "r"(a.pair[2]), "r"(a.pair[3]), "r"(b.pair[0]), "r"(b.pair[1]));
  }
}

/// Both rounded, `low` in the low half.
template <HalfNumber T>
__device__ __forceinline__ unsigned rounded_pair(float low, float high) {
  unsigned pair;
  if constexpr (std::same_as<T, Float16>) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  }
  return pair;
}

/// 16 bytes on their way into shared memory without passing through registers, or zeros where there is
/// nothing to copy; both places at multiples of 16 bytes.
template <HalfNumber T>
__device__ __forceinline__ void begin_copy(Shared<T> to, const T* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
/// Waits for the thread's own copies; others see them after the next barrier.
__device__ __forceinline__ void finish_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

}  // namespace incipit::device::cuda

#endif

namespace incipit::device::cuda {

/// Two sums side by side, rounded, as the left operand of another product: each lane holds the very elements
/// that it needs.
template <HalfNumber T>
__device__ __forceinline__ LeftFragment<T> as_left(const FragmentSums& low, const FragmentSums& high) {
  return {{rounded_pair<T>(low.value[0], low.value[1]), rounded_pair<T>(low.value[2], low.value[3]),
           rounded_pair<T>(high.value[0], high.value[1]), rounded_pair<T>(high.value[2], high.value[3])}};
}

}  // namespace incipit::device::cuda
