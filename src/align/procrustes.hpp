#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "align/rows.hpp"
#include "device/device.hpp"

namespace incipit::align {

/// How good a map is, on the judge part, which it has not seen (science §8).
struct Judgement {
  double residual = 0;  ///< ‖x̂ − x_ref‖ / ‖x_ref − μ_ref‖; an unrelated isometry gives about √2
  double residual_floor = 0;      ///< of the reference projected on its own top d_site principal components
  double residual_shuffled = 0;   ///< 5th percentile of the residual over 100 shuffled correspondences
  double outside = 0;             ///< share of the site's variance outside the map's span
  double retrieval = 0;           ///< share of probes whose x̂ is nearest to their own x_ref; ties share
  double cka = 0;                 ///< linear CKA, unbiased HSIC
  double cka_biased = 0;          ///< linear CKA, biased HSIC
  double cosine_correlation = 0;  ///< Pearson, of pairwise mean-centred cosines; pairs share no group
  double effective_rank = 0;  ///< exp(−Σ p ln p), p = σ/Σσ over the singular values σ of C on the fit part
  bool reliable = false;      ///< cka ≥ 0.7, cosine_correlation ≥ 0.5 and residual < residual_shuffled
};

/// A map from a site into the anchor's space: x̂ = μ_ref + c (x − μ_site) W, W = left · rightᵀ.
/// It holds what its file holds, so that a map read back does exactly what the one computed does.
struct Alignment {
  int64_t d_site = 0;
  int64_t d_reference = 0;
  int64_t rank = 0;               ///< r
  double scale = 0;               ///< c
  bool projected = false;         ///< d_site > d_reference: W maximises the trace, not least squares
  std::vector<float> left;        ///< U_r [d_site, rank]
  std::vector<float> right;       ///< V_r [d_reference, rank]
  std::vector<double> mean_site;  ///< μ_site [d_site], of the fit part
  Judgement judgement;
};

/// The anchor's side of every alignment along its curves: the residuals of the fit and the judge part at
/// the anchor. What depends on the anchor alone is computed once and kept.
/// The rows are viewed; a copy of the fit part lies on the device, which does the work of every alignment and
/// must outlive this.
class Reference {
 public:
  /// `fit_group`, `judge_group`: the group of each row; `seed` draws folds, shuffles and the subsample.
  /// Errors: data, if the parts differ in d or are empty; numbers, if the rows have no variance or are
  /// not finite.
  Reference(device::Device& device, Rows fit, Rows judge, const std::vector<int32_t>& fit_group,
            const std::vector<int32_t>& judge_group, uint64_t seed);
  ~Reference();
  Reference(Reference&&) noexcept;
  Reference& operator=(Reference&&) noexcept;
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  struct State;
  [[nodiscard]] const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// Procrustes of a site onto the anchor (science §8): same probes, same order, as in the reference.
/// C = X_siteᵀ X_ref is summed in fp64 on the host (so ε = 2⁻⁵²) and in fp32 on CUDA (ε = 2⁻²³); where there
/// are fewer probes than dimensions its singular vectors come, in fp64 everywhere, from the cores of the QR
/// factors of X_siteᵀ and X_refᵀ. The rank is what predicts best over `folds` group folds of the fit part, at
/// most the numerical rank; if the best is the largest that the folds could try, the numerical rank itself.
/// A site without variance gets rank 0, NaN throughout, and is not reliable.
/// Errors: data, if the rows do not match the reference's; numbers, if they are not finite.
Alignment align(const Reference& reference, Rows fit, Rows judge);

/// The input of the anchor's SAE on the rung `aligned`: ((x − μ_site) c W) / anchor_scale, [x.n, d_reference]
/// (science §7). fp32, in blocks of rows that depend on nothing but x.n.
/// Error defect for an alignment of rank 0, or rows of another dimension.
std::vector<float> apply(const Alignment& alignment, Rows x, double anchor_scale);

}  // namespace incipit::align
