#pragma once

#include <cstdint>

namespace incipit::device {

/// AuxK (science §2): what the dead latents could explain of the residual e, and its gradients, added to
/// those that SaeGradient has written. Per row the `keep` largest z among the dead latents are kept (ties to
/// the lower index), a = max(z, 0):
///   f = e − Σ a · decoder,   square = ‖f‖²
///   decoder_gradient[j] += −2·c · Σ_rows a f,   slope = −2·c · f · decoder[j] where kept and a > 0,
///   encoder_gradient[j] += Σ slope x,   encoder_bias_gradient[j] += Σ slope,
///   pre_bias_gradient −= Σ_j (Σ slope) encoder[j],
/// with c = weight / max(Σ‖e‖², floor). e is a constant.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeAuxiliary {
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t h = 0;
  std::int64_t dead_count = 0;         ///< 1..h
  std::int64_t keep = 0;               ///< 1..dead_count
  const std::int32_t* dead = nullptr;  ///< dead_count, ascending
  const T* x = nullptr;                ///< n×d
  const T* z = nullptr;                ///< n×h
  const T* e = nullptr;                ///< n×d
  const double* e_square = nullptr;    ///< n, ‖e‖² per row
  const T* encoder = nullptr;          ///< h×d
  const T* decoder = nullptr;          ///< h×d
  double weight = 0;
  double floor = 0;
  T* encoder_gradient = nullptr;       ///< h×d
  T* encoder_bias_gradient = nullptr;  ///< h
  T* decoder_gradient = nullptr;       ///< h×d
  T* pre_bias_gradient = nullptr;      ///< d
  double* square = nullptr;            ///< n
};

}  // namespace incipit::device
