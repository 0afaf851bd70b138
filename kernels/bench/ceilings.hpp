#pragma once

#include <functional>
#include <memory>
#include <string>

#include "settings.hpp"
#include "stopwatch.hpp"

namespace incipit::device::bench {

/// What bounds an operation: the memory's bandwidth, that of the bus from the host, or the rate of products
/// of one type.
enum class Bound { copy, bus, bf16, fp32, fp64 };

std::string name_of(Bound bound);

/// What this device reaches today with the most favourable work.
struct Ceilings {
  double copy = 0;  ///< bytes read and written per second
  double bus = 0;   ///< bytes per second from pinned memory of the host
  double bf16 = 0;  ///< operations per second of products
  double fp32 = 0;
  double fp64 = 0;

  [[nodiscard]] double of(Bound bound) const;
};

/// The least time that work can take here, and what it is that takes it.
struct Floor {
  double seconds;
  Bound bound;
};
Floor floor_of(const Ceilings& ceilings, double bytes, Bound memory, double flops, Bound arithmetic);

/// Square products C = A·Bᵀ by the vendor's library as it likes best: its own choice of algorithm, summing in
/// fp32 (fp64 of fp64). In gemm.cu; the shim has plain loops (gemm_plain.cpp).
class Gemm {
 public:
  explicit Gemm(CudaDevice& device);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  /// Matrices n×n of the type that `type` names.
  void run(Bound type, int n, const void* a, const void* b, void* c);

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

/// Measures them and prints each.
Ceilings measure_ceilings(CudaDevice& device, const Settings& settings);

}  // namespace incipit::device::bench
