#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "align/drift.hpp"
#include "align/procrustes.hpp"
#include "emergence/facts.hpp"
#include "emergence/measures.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// What is done to a site's residuals before the anchor's SAE sees them (science §7).
enum class Rung : int { raw, rescaled, aligned };
inline constexpr int rungs = 3;
inline constexpr std::array<std::string_view, rungs> rung_names = {"raw", "rescaled", "aligned"};

/// The rung on which a curve is read: raw, as the paper does; aligned along scale, where widths differ.
[[nodiscard]] constexpr Rung reading_rung(std::string_view curve) {
  return curve == "scale" ? Rung::aligned : Rung::raw;
}

/// Whether the points of a curve follow each other along one axis, as conclusions take it; those of a grid do
/// not, nor do they where each has a dictionary of its own (own_grid).
[[nodiscard]] constexpr bool has_neighbours(std::string_view curve) {
  return !curve.ends_with("grid");
}

/// A site on a curve.
struct Point {
  std::string model;
  int64_t params = 0;
  int64_t params_non_embedding = 0;
  int64_t step = 0;
  int64_t layer = 0;
  double depth = 0;  ///< layer / number of blocks
};

/// An anchor's concepts along a list of sites: everything below anchors/NAME/curves/CURVE of files.md. Ranks
/// fill points of their own, then gather; after that all have all.
class Curve {
 public:
  /// `tau`: the thresholds of the sweep (may be empty). `latents`: h of the anchor's SAE; 0: no fire rates.
  /// `concludes`: whether conclusions are drawn where points have neighbours; without them no draws are kept.
  Curve(std::string name, std::vector<Point> points, int32_t subjects, int64_t permutations,
        std::vector<double> tau, int64_t latents = 0, bool concludes = true);

  // What one rank found at a point. All parts of a point are set by one rank; what is never set stays NaN (0
  // for counts), with the status no_site.
  void set(int64_t point, Rung rung, const SiteMeasures& measures);
  /// All rungs at once: dropped, degenerate.
  void leave_out(int64_t point, Status reason);
  void set_facts(int64_t point, const SiteFacts& facts);
  /// Rungs in order: of the perplexity and the silent share, those of the first that the site has are kept.
  void set_usage(int64_t point, Rung rung, const Usage& usage);
  void set_probe_auc(int64_t point, const Estimates& estimates);
  /// Measures on the rung `aligned` become unreliable (ok and silent do) where the alignment is.
  void set_alignment(int64_t point, const align::Alignment& alignment);
  /// How the site differs from that of the point before.
  void set_drift(int64_t point, const align::Drift& drift);
  /// Mean next-token loss of the probes under the site's checkpoint, in nats.
  void set_loss(int64_t point, double loss);
  /// probe_activation at each tau, on the first rung that the site has: [tau, C].
  void set_tau(int64_t point, std::span<const double> probe_activation);

  /// All that this rank has set so far, for another job to take up.
  [[nodiscard]] std::vector<double> packed() const;
  /// Takes up what packed() of a Curve made alike gave. Points that are set already stay. False, and nothing
  /// is changed, when it does not fit. Before gather.
  bool take(std::span<const double> packed);
  [[nodiscard]] bool is_set(int64_t point) const { return touched_.at(static_cast<size_t>(point)) != 0; }

  /// Collective. Error defect when two ranks set one point.
  void gather(const parallel::Communicator& comm);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] int32_t subjects() const { return subjects_; }
  [[nodiscard]] bool concludes() const { return concludes_; }
  [[nodiscard]] Estimate estimate(Measure measure, Rung rung, int64_t point, int32_t subject) const;
  [[nodiscard]] Estimate probe_auc(int64_t point, int32_t subject) const;
  [[nodiscard]] Status status(Rung rung, int64_t point, int32_t subject) const;
  /// 95 % point of the maxima over the curve, one for each permutation (simultaneous band).
  [[nodiscard]] double null_max(Measure measure, Rung rung, int32_t subject) const;
  [[nodiscard]] double probe_auc_null_max(int32_t subject) const;
  /// What set_tau was given: [tau, point, subject].
  [[nodiscard]] std::vector<double> tau_sweep() const;
  /// Contrast on the rung on which the curve is read: in each resample of groups [B], under each permutation
  /// [P]. NaN where it has no value. Not kept of a curve that does not conclude.
  [[nodiscard]] std::span<const double> contrast_draws(int64_t point, int32_t subject) const;
  [[nodiscard]] std::span<const double> contrast_null(int64_t point, int32_t subject) const;
  /// Where the logistic curves through a subject's draws have their middles, as conclusions need them; they
  /// take long, so that ranks share the subjects. Empty where they were not found.
  [[nodiscard]] const std::vector<double>& middles(int32_t subject) const {
    return middles_.at(static_cast<size_t>(subject));
  }
  void set_middles(int32_t subject, std::vector<double> middles);
  /// Collective. No two ranks have set one subject.
  void gather_middles(const parallel::Communicator& comm);
  /// Share of the judged probes on which a latent fires.
  [[nodiscard]] double fire_rate(Rung rung, int64_t point, int64_t latent) const;

  /// The curve's datasets below `group` ("anchors/time/curves/time"). Collective, after gather.
  void write(store::Writer& writer, const std::string& group, const std::vector<std::string>& subjects) const;
  /// What set_drift was given, and how the loss changes from point to point, below `group`
  /// ("anchors/time/curves/time/drift"). Collective, after gather.
  void write_drift(store::Writer& writer, const std::string& group) const;
  /// The sweep over tau below `group` ("anchors/time/tau/time"). Collective, after gather.
  void write_tau(store::Writer& writer, const std::string& group,
                 const std::vector<std::string>& subjects) const;

 private:
  /// The maxima of one measure: all rungs, or the site alone.
  using Maxima = std::vector<double>;

  [[nodiscard]] double* cell(int64_t point, int64_t offset);
  [[nodiscard]] const double* cell(int64_t point, int64_t offset) const;
  [[nodiscard]] int64_t estimate_offset(int measure, int rung, int32_t subject) const;
  [[nodiscard]] int64_t probe_auc_offset(int32_t subject) const;
  [[nodiscard]] int64_t status_offset(int rung, int32_t subject) const;
  void keep(int64_t point, int64_t offset, const Estimate& estimate);
  [[nodiscard]] Estimate read(int64_t point, int64_t offset) const;
  void raise(Maxima& maxima, int64_t slot, const Estimates& estimates) const;
  [[nodiscard]] double level(const Maxima& maxima, int64_t slot) const;
  [[nodiscard]] std::vector<double> column(int64_t offset) const;
  void keep_draws(int64_t point, const SiteMeasures& found);
  void gather_draws(const parallel::Communicator& comm);
  [[nodiscard]] std::span<const double> draws(int64_t point, int64_t begin, int64_t count) const;
  void write_points(store::Writer& writer, const std::string& group) const;
  void write_estimates(store::Writer& writer, const std::string& group) const;
  void write_site(store::Writer& writer, const std::string& group) const;
  [[nodiscard]] bool has_losses() const;
  void write_loss(store::Writer& writer, const std::string& group) const;
  void write_fire_rate(store::Writer& writer, const std::string& group) const;

  std::string name_;
  std::vector<Point> points_;
  int32_t subjects_;
  int64_t permutations_;
  std::vector<double> tau_;
  int64_t latents_;
  bool concludes_;
  int64_t facts_offset_, alignment_offset_, drift_offset_, loss_offset_, tau_offset_, fire_offset_, length_;
  std::vector<double> cells_;  ///< [point, length_]: everything about a point, as ranks exchange it
  std::vector<char> touched_;  ///< [point] set by this rank
  int64_t bootstrap_ = 0;
  std::vector<std::vector<double>> draws_;    ///< [point] contrast on the reading rung, [C, B] and [C, P]
  std::vector<std::vector<double>> middles_;  ///< [C]
  std::array<Maxima, measures + 1> maxima_;   ///< [rung, C, P] each; the last is probe_auc's, [C, P]
};

}  // namespace incipit::emergence
