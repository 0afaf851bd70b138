#pragma once

#include <cstdint>

#include "device/resamples.hpp"
#include "launch.cuh"

/// The same statistic as it is, in a resample and under a permutation: a kernel is written once, for what it
/// reads of draw r through one of three views, a thread to each draw.
namespace incipit::device::cuda {

struct AsItIs {
  static std::int64_t draws(const Resamples&) { return 1; }
  template <class T>
  static T* of(const Resampled<T>& out) {
    return out.value;
  }

  __device__ static int weight(const Resamples&, std::int64_t, std::int64_t) { return 1; }
  __device__ static int subject(const Resamples& of, std::int64_t i, std::int64_t) { return of.subject[i]; }
  __device__ static int group_weight(const Resamples&, std::int64_t, std::int64_t) { return 1; }
  __device__ static int group_subject(const Resamples& of, std::int64_t g, std::int64_t) {
    return of.group_subject[g];
  }
};

struct Bootstrapped : AsItIs {
  static std::int64_t draws(const Resamples& of) { return of.bootstrap; }
  template <class T>
  static T* of(const Resampled<T>& out) {
    return out.bootstrap;
  }

  __device__ static int weight(const Resamples& of, std::int64_t i, std::int64_t r) {
    return group_weight(of, of.group[i], r);
  }
  __device__ static int group_weight(const Resamples& of, std::int64_t g, std::int64_t r) {
    return of.weight[g * of.bootstrap + r];
  }
};

struct Permuted : AsItIs {
  static std::int64_t draws(const Resamples& of) { return of.permutations; }
  template <class T>
  static T* of(const Resampled<T>& out) {
    return out.permutation;
  }

  __device__ static int subject(const Resamples& of, std::int64_t i, std::int64_t r) {
    return of.label[i * of.permutations + r];
  }
  __device__ static int group_subject(const Resamples& of, std::int64_t g, std::int64_t r) {
    return of.group_label[g * of.permutations + r];
  }
};

/// f(view) for each of them.
template <class F>
void for_each_view(F f) {
  f(AsItIs{});
  f(Bootstrapped{});
  f(Permuted{});
}

inline constexpr int draw_threads = 128;
/// Blocks of a multiprocessor: few enough for the registers of several probes on their way at once.
inline constexpr int draw_blocks = 8;

/// The draw that this thread is for.
__device__ __forceinline__ std::int64_t draw_of_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * draw_threads + threadIdx.x;
}

}  // namespace incipit::device::cuda
