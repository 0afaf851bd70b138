#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "corpus/probes.hpp"
#include "sae/encode.hpp"
#include "sae/sae.hpp"

namespace incipit::interpret {

/// A probe on which a latent fires.
struct Firing {
  int64_t probe;  ///< index into Probes::all
  double activation;
};

/// Who fires where, in one part of the probes.
class FiringIndex {
 public:
  /// `codes` are those of all probes in the deck's order. Error defect when their number is not that of the
  /// probes, or when they name a latent beyond `latents`.
  FiringIndex(const corpus::Probes& probes, corpus::Part part, const sae::Codes& codes, int64_t latents);

  /// The part's probes, ascending.
  [[nodiscard]] const std::vector<int64_t>& probes() const { return probes_; }
  /// Those on which a latent fires, ascending.
  [[nodiscard]] const std::vector<Firing>& of(int64_t latent) const {
    return firing_[static_cast<std::size_t>(latent)];
  }
  /// Those of the part on which it does not, ascending.
  [[nodiscard]] std::vector<int64_t> silent(int64_t latent) const;
  /// Those on which one of `others` fires and `latent` does not, ascending.
  [[nodiscard]] std::vector<int64_t> fired_by_others(int64_t latent, std::span<const int64_t> others) const;

 private:
  std::vector<int64_t> probes_;
  std::vector<std::vector<Firing>> firing_;
};

/// The other latents by falling cosine of their decoder rows with that of `latent`, ties to the lower index.
[[nodiscard]] std::vector<int64_t> nearest_latents(const sae::Sae& sae, int64_t latent);

}  // namespace incipit::interpret
