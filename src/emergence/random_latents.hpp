#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "emergence/curve.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/measures.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

/// The control by random latents (science §6): what a subject's measures would be if its latents were any
/// others that fire as often.
namespace incipit::emergence {

/// How many of the latents nearest in firing rate one is drawn from.
inline constexpr int64_t random_latent_choice = 8;

/// `draws` replacements of every M_c: [draw] of [C]. Each latent of M_c in turn, ascending, gives its place
/// to one drawn from the random_latent_choice latents nearest to it in `fire_rate` [h] that fire at all, are
/// not of M_c and were not drawn before; ties go to the lower latent. A draw depends on (seed, subject, draw)
/// alone. Where fewer than |M_c| such latents exist the set is empty: there is no such control.
std::vector<Matched> random_latents(const Matched& matched, std::span<const double> fire_rate, int64_t draws,
                                    uint64_t seed);

/// Σ of the firing rates over M_c: [C], NaN for an empty one.
std::vector<double> total_fire_rate(const Matched& matched, std::span<const double> fire_rate);

/// The mean of that over draws: [C], NaN where there are none.
std::vector<double> mean_fire_rate(std::span<const Matched> draws, std::span<const double> fire_rate);

/// What random latents give along a curve: mean and 95 % band over the draws. Ranks fill points of their own,
/// then gather; after that all have all. What is never set is NaN.
class RandomLatents {
 public:
  /// A measure over the draws of one point, rung and subject.
  struct Band {
    double mean = nan, low = nan, high = nan;
  };

  /// `fire_rate`: [C] of what is drawn, total_fire_rate as a mean over the draws.
  RandomLatents(std::string curve, int64_t points, int32_t subjects, std::vector<double> fire_rate);

  /// `draws`: what each draw's sets give at the site.
  void set(int64_t point, Rung rung, std::span<const BareShares> draws);

  /// All that this rank has set so far, and the taking up of it by another job: as of Curve.
  [[nodiscard]] std::vector<double> packed() const;
  bool take(std::span<const double> packed);

  /// Collective. Error defect when two ranks set one point.
  void gather(const parallel::Communicator& comm);

  [[nodiscard]] const std::string& curve() const { return curve_; }
  [[nodiscard]] const std::vector<double>& fire_rate() const { return fire_rate_; }
  [[nodiscard]] Band probe_activation(Rung rung, int64_t point, int32_t subject) const;
  [[nodiscard]] Band contrast(Rung rung, int64_t point, int32_t subject) const;

  /// The curve's datasets below `group` ("anchors/time/controls/random_latents/curves/time"). Collective,
  /// after gather.
  void write(store::Writer& writer, const std::string& group, const std::vector<std::string>& subjects) const;

 private:
  [[nodiscard]] size_t at(int64_t point, Rung rung, int32_t subject, int measure) const;
  [[nodiscard]] Band band(int64_t point, Rung rung, int32_t subject, int measure) const;

  std::string curve_;
  int64_t points_;
  int32_t subjects_;
  std::vector<double> fire_rate_;
  std::vector<double> cells_;  ///< [point, rung, subject, measure, 3]
  std::vector<char> touched_;  ///< [point] set by this rank
};

}  // namespace incipit::emergence
