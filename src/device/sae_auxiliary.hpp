#pragma once

#include <cstdint>

namespace incipit::device {

/// AuxK (science §2): what the dead latents could explain of the residual e, and its gradients, added to
/// those that SaeGradient has written. Per row the min(most_kept, dead_count) largest z among the dead
/// latents are kept (ties to the lower index), a = max(z, 0):
///   f = e − Σ a · decoder,   square = ‖f‖²
///   decoder_gradient[j] += −2·c · Σ_rows a f,   slope = −2·c · f · decoder[j] where kept and a > 0,
///   encoder_gradient[j] += Σ slope x,   encoder_bias_gradient[j] += Σ slope,
///   pre_bias_gradient −= Σ_j (Σ slope) encoder[j],
/// with c = weight / max(Σ‖e‖², floor). e is a constant.
/// Several problems of one shape stand one behind the other in every array, each with its own dead latents;
/// where none is dead, square = 0 and no gradient changes. A problem's bytes depend on no other.
/// All pointers are device memory, matrices row-major; T is float or double.
template <class T>
struct SaeAuxiliary {
  std::int64_t problems = 1;
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::int64_t h = 0;
  std::int64_t most_kept = 0;                ///< 1..h
  const std::int64_t* dead_count = nullptr;  ///< problems, 0..h
  const std::int32_t* dead = nullptr;        ///< problems×h, a problem's first dead_count ascending
  const T* x = nullptr;                      ///< problems×n×d
  const T* z = nullptr;                      ///< problems×n×h
  const T* e = nullptr;                      ///< problems×n×d
  const double* e_square = nullptr;          ///< problems×n, ‖e‖² per row
  const T* encoder = nullptr;                ///< problems×h×d
  const T* decoder = nullptr;                ///< problems×h×d
  double weight = 0;
  double floor = 0;
  T* encoder_gradient = nullptr;       ///< problems×h×d
  T* encoder_bias_gradient = nullptr;  ///< problems×h
  T* decoder_gradient = nullptr;       ///< problems×h×d
  T* pre_bias_gradient = nullptr;      ///< problems×d
  double* square = nullptr;            ///< problems×n
};

}  // namespace incipit::device
