#pragma once

#include "command/study.hpp"
#include "deck/deck.hpp"
#include "plan/workload.hpp"

namespace incipit::command {

/// What following trails takes, in the numbers of `plan`: the same for who foretells a run and for who deals
/// out its points.
class ReadingCost {
 public:
  ReadingCost(const Study& study, const deck::Deck& deck);

  /// Of phase track: what is done once at a site, whatever reads there. Its residuals are read; where a trail
  /// asks for it, a linear probe is fitted and judged.
  [[nodiscard]] plan::Task site(const Site& site, bool with_linear_probe) const;
  /// Of phase track: a point of a trail, read by a dictionary that has latents for `subjects` of them.
  [[nodiscard]] plan::Task reading(const Trail& trail, std::size_t p, double subjects) const;
  /// Of phase drift: how one site differs from the one before.
  [[nodiscard]] plan::Task drift(const Site& before, const Site& now) const;
  /// Floating-point operations (fp64) of a Procrustes map from one width to another, with the folds that
  /// choose its rank and the judge part that it is judged on.
  [[nodiscard]] double map_flops(double from, double to) const;

 private:
  [[nodiscard]] double width(const Site& site) const;
  /// Probes ranked for so many subjects, in every resample and under every permutation.
  [[nodiscard]] double ranked(double subjects) const;

  const Study& study_;
  double fit_, judge_;
  double draws_;  ///< with the probes as they are
};

}  // namespace incipit::command
