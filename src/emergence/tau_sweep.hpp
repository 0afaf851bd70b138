#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace incipit::emergence {

/// What an anchor's curves would be at other thresholds than the one used (science §4).
struct TauSweep {
  /// probe_activation along a curve, on the first rung that a site has; NaN where a subject has no latents at
  /// a threshold, and where the site has no numbers.
  struct Along {
    std::string curve;
    std::vector<std::string> points;       ///< their names; none where the curve is not at hand
    std::vector<double> probe_activation;  ///< [tau, point, subject]
  };

  std::string anchor;
  double used = 0;         ///< match.tau
  bool used_auto = false;  ///< the decoys set it
  std::vector<std::string> subjects;
  std::vector<double> tau, decoy_rate;  ///< [tau], ascending
  std::vector<int64_t> matched;         ///< [tau, subject] |M_c|
  std::vector<int64_t> latents;         ///< [tau] that match any subject
  std::vector<Along> curves;

  /// Whether a threshold is as good as the one used: within `tau_nearby` of it.
  [[nodiscard]] bool nearby(std::size_t tau) const;
  /// [tau, subject] at the place of a point; 0 where there is none: what nothing matches does not fire.
  [[nodiscard]] double at_point(const Along& curve, std::size_t tau, std::size_t point,
                                std::size_t subject) const;
  /// The largest over the points.
  [[nodiscard]] double largest(const Along& curve, std::size_t tau, std::size_t subject) const;
};

/// A subject whose numbers are another story at another threshold nearby.
struct HangsOnTau {
  std::size_t subject = 0;
  int64_t most = 0, fewest = 0;  ///< |M_c| at the lowest and the highest threshold nearby
  /// Where probe_activation moves most: the curve, which of "first", "last" and "largest", and between what.
  /// No curve where it nowhere tells another story.
  std::string curve = {}, place = {};
  double low = 0, high = 0;
};

inline constexpr double tau_nearby = 0.1;  ///< thresholds as near to the one used are as good as it
inline constexpr double tau_step = 0.2;    ///< a curve that moves by more tells another story
inline constexpr double tau_half = 0.05;  ///< and so does one that moves by more than this and half of itself

/// The subjects that have latents at some threshold nearby and none at another, or whose probe_activation at
/// the first, the last or the largest point of a curve tells another story between them.
std::vector<HangsOnTau> hanging_on_tau(const TauSweep& sweep);

}  // namespace incipit::emergence
