#pragma once

#include <cstdint>

#include "device/device.hpp"

namespace incipit::align {

/// The orthogonal factor W of C = W H (C = H W where C is wide), H symmetric and without negative
/// eigenvalues: what Procrustes asks for where nothing but a map of full rank is wanted.
struct Polar {
  device::Buffer<double> factor;  ///< [m, n]; the columns (of a wide matrix the rows) orthonormal
  int64_t rank = 0;     ///< min(m, n), or after `fallback` the numerical rank r: the factor is U_r V_rᵀ
  int steps = 0;        ///< of the iteration
  double residual = 0;  ///< ‖WᵀW − 1‖ (‖WWᵀ − 1‖) that it reached; NaN where it could not begin
  double asymmetry = 0;   ///< ‖H − Hᵀ‖ / ‖H‖ that it reached; NaN where it did not get so far
  bool fallback = false;  ///< the factor was made by the singular value decomposition
};

/// Singular values below the largest over this are left to the singular value decomposition.
inline constexpr double polar_condition = 1e7;

/// The polar factor of c [m, n], in fp64, by matrix products alone: Newton and Schulz's iteration
/// X ← (3αX − α³XXᵀX)/2, scaled as Chen and Chow do (A stable scaling of Newton-Schulz for improving the sign
/// function computation of a Hermitian matrix, Argonne 2014). Its end is checked, and what fails the check (C
/// is not of full rank, or its condition beyond `polar_condition`) is decomposed instead. Error numbers when
/// c is not finite.
Polar polar(device::Device& device, const device::Buffer<double>& c, int64_t m, int64_t n);

}  // namespace incipit::align
