#pragma once

#include <cstdint>

namespace incipit::device {

/// Terms of the SAE's loss over a batch (science §2), from squares per row, summed in row order in fp64:
///   terms = {fvu, fvu_multi, auxk, loss},  fvu = Σ square / (n·d),  fvu_multi likewise,
///   auxk = Σ square_auxiliary / max(Σ square, 1e-6·n·d), 0 without square_auxiliary,
///   loss = fvu + fvu_multi / 8 + auxk / 32.
/// Several problems of one shape stand one behind the other in every array; a problem's bytes depend on no
/// other. All pointers are device memory.
struct SaeLoss {
  static constexpr double multi_share = 1.0 / 8;
  static constexpr double auxiliary_share = 1.0 / 32;
  static constexpr double smallest_share =
      1e-6;  ///< below this share of n·d, Σ square counts as this in auxk

  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t d = 0;
  const double* square = nullptr;            ///< problems×n
  const double* square_multi = nullptr;      ///< problems×n
  const double* square_auxiliary = nullptr;  ///< problems×n, or nullptr
  double* terms = nullptr;                   ///< problems×4
};

}  // namespace incipit::device
