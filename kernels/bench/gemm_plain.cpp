// Where there is no cuBLAS, square products by plain loops: the shim's bench runs, its rates say nothing.

#include "ceilings.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

constexpr double to_float(double x) {
  return x;
}

template <class T>
void multiply(int n, const void* a, const void* b, void* c) {
  using device::to_float;
  const T* left = static_cast<const T*>(a);
  const T* right = static_cast<const T*>(b);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      decltype(to_float(T{})) sum = 0;
      for (int l = 0; l < n; ++l) sum += to_float(left[i * n + l]) * to_float(right[j * n + l]);
      if constexpr (std::same_as<T, double>) {
        static_cast<T*>(c)[i * n + j] = sum;
      } else {
        static_cast<T*>(c)[i * n + j] = round_to<T>(sum);
      }
    }
  }
}

}  // namespace

struct Gemm::Library {};

Gemm::Gemm(CudaDevice& /*device*/) {}
Gemm::~Gemm() = default;

void Gemm::run(Bound type, int n, const void* a, const void* b, void* c) {
  if (type == Bound::fp64) return multiply<double>(n, a, b, c);
  if (type == Bound::fp32) return multiply<float>(n, a, b, c);
  multiply<BFloat16>(n, a, b, c);
}

}  // namespace incipit::device::bench
