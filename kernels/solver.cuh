#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "launch.cuh"
#include "memory.cuh"

namespace incipit::device::cuda {

/// Decompositions in fp64 by cuSOLVER; on the host's shim by plain loops. The only code that knows the
/// library. Matrices are column-major and without gaps, as the library has them; all pointers are device
/// memory. Error(numbers) where nothing converges.
class Solver {
 public:
  explicit Solver(Memory& memory);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  /// a = left · diag(values) · rightᵀ, values descending.
  struct Svd {
    std::int64_t rows = 0;
    std::int64_t columns = 0;  ///< at most rows
    double* a = nullptr;       ///< rows×columns; destroyed
    double* left = nullptr;    ///< rows×columns
    double* values = nullptr;  ///< columns
    double* right = nullptr;   ///< columns×columns
  };
  void svd(const Svd& svd, const Call& call);

  /// a = q · r, in the two steps of LAPACK: `factor` leaves r in the upper triangle of a and reflectors below
  /// it, `form_q` makes q of the reflectors, in their place.
  struct Qr {
    std::int64_t rows = 0;
    std::int64_t columns = 0;  ///< at most rows
    double* a = nullptr;       ///< rows×columns
    double* scales = nullptr;  ///< columns; the reflectors'
  };
  void factor(const Qr& qr, const Call& call);
  void form_q(const Qr& qr, const Call& call);

  [[nodiscard]] static std::string version();

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace incipit::device::cuda
