#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.hpp"
#include "match/matching.hpp"

namespace incipit::emergence {

/// M_c of each subject [C], latents in ascending order; may be empty.
using Matched = std::vector<std::vector<int32_t>>;

/// M_c as the labels were matched.
Matched matched_of(const match::Matches& matches);

/// The sets M_c that are not empty, on a device.
struct MatchedSets {
  /// `latents`: h, more than any latent. Error(defect) where one is not.
  MatchedSets(device::Device& device, const Matched& matched, int64_t latents);

  [[nodiscard]] size_t size() const { return subject.size(); }

  int64_t subjects;              ///< C
  int64_t latents;               ///< h
  std::vector<int32_t> subject;  ///< [sets] whose M_c it is, ascending
  std::vector<int64_t> count;    ///< [sets] |M_c|

  // On the device.
  device::Buffer<int32_t> own;           ///< [sets] subject
  device::Buffer<int64_t> start;         ///< [sets+1] into latent
  device::Buffer<int32_t> latent;        ///< the latents of each set
  device::Buffer<int64_t> latent_start;  ///< [h+1] into latent_set
  device::Buffer<int32_t> latent_set;    ///< the sets that each latent is in
};

/// M_c at another threshold: interpretable latents whose similarity [h, C] reaches tau.
Matched match_at(std::span<const float> similarity, std::span<const int8_t> interpretable, int32_t subjects,
                 double tau);

/// M_c at each of several thresholds, on a device.
std::vector<MatchedSets> sets_at(device::Device& device, std::span<const float> similarity,
                                 std::span<const int8_t> interpretable, int32_t subjects,
                                 std::span<const double> taus);

}  // namespace incipit::emergence
