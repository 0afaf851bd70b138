#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "command/judged.hpp"
#include "command/session.hpp"
#include "emergence/curve.hpp"
#include "emergence/measures.hpp"
#include "emergence/random_latents.hpp"
#include "interpret/file.hpp"

namespace incipit::command {

/// A dictionary with its matches, and what it reads at sites. Reads files when it is made.
class Tracker {
 public:
  Tracker(Session& session, const Bench& bench, std::size_t dictionary);

  [[nodiscard]] const MatchedDictionary& dictionary() const { return read_; }
  [[nodiscard]] const interpret::Labels& labels() const { return labels_; }
  /// [C] Σ of the firing rates of M_c on the fit part.
  [[nodiscard]] std::vector<double> matched_fire_rate() const;

  /// Makes ready what only an anchor's own curves have: the thresholds swept, and random latents.
  void prepare_anchor();
  /// Random latents along one of the anchor's own curves; none where the deck asks for none. After
  /// prepare_anchor.
  [[nodiscard]] std::optional<emergence::RandomLatents> random_along(const Trail& trail) const;

  /// One point of a trail, from the residuals there. `random`: where random latents are wanted too.
  void measure(const Trail& trail, std::int64_t p, const SiteRows& rows, emergence::Curve& curve,
               emergence::RandomLatents* random);

 private:
  struct At {
    const Trail& trail;
    std::int64_t p;
    emergence::Curve& curve;
    emergence::RandomLatents* random;
  };

  void cut(const Site& site, SiteRows& rows) const;
  void climb(const At& at, const SiteRows& rows);
  sae::DeviceCodes rung(const At& at, emergence::Rung which, std::span<const float> u);
  void set_tau(const At& at, const sae::DeviceCodes& codes);
  [[nodiscard]] std::vector<double> fire_rates() const;

  Session& session_;
  const Bench& bench_;
  MatchedDictionary read_;
  interpret::Labels labels_;
  emergence::MatchedSets sets_;
  bool prepared_ = false;
  std::vector<emergence::MatchedSets> swept_;   ///< at each τ of the sweep
  std::vector<emergence::Matched> draws_;       ///< of random latents
  std::vector<emergence::MatchedSets> random_;  ///< each of them
  emergence::StrengthReference reference_;
};

}  // namespace incipit::command
