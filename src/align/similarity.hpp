#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "align/rows.hpp"
#include "device/device.hpp"

namespace incipit::align {

/// Linear CKA of two sets of rows of the same probes (science §8).
struct Cka {
  double unbiased = 0;  ///< HSIC₁ of Song et al. 2012 in all three places; NaN if a set's own HSIC₁ is ≤ 0
  double biased = 0;  ///< ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖), centred; independent noise gives about
                      ///< √(d₁d₂/((n+d₁)(n+d₂)))
};
/// NaN for fewer than 4 rows. Error data, if the sets differ in n. In fp64 on any device: HSIC₁ is a
/// difference.
Cka cka(device::Device& device, Rows x, Rows y);

/// Pearson correlation of the pairwise mean-centred cosines of x with those of y, over pairs of rows that
/// share no group. Beyond `largest_sample` rows a fixed random sample of that many is used (some two
/// million pairs). Rows equal to the mean of their set are left out. NaN with fewer than 3 pairs, or when
/// the cosines do not vary.
inline constexpr int64_t largest_sample = 2000;
double cosine_correlation(Rows x, Rows y, std::span<const int32_t> group, uint64_t seed);

/// exp(−Σ p ln p), p = σ/Σσ; 0 for no or only zero values.
double effective_rank(std::span<const double> singular_values);

}  // namespace incipit::align
