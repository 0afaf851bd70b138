#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "command/judged.hpp"
#include "command/session.hpp"
#include "emergence/curve.hpp"
#include "emergence/facts.hpp"
#include "emergence/measures.hpp"
#include "emergence/random_latents.hpp"
#include "interpret/file.hpp"
#include "match/file.hpp"
#include "sae/sae.hpp"

namespace incipit::command {

/// A site's residuals, and what they say whatever the dictionary, found when it is first asked for.
class SiteView {
 public:
  SiteView(const Session& session, const Bench& bench, const Site& site);

  [[nodiscard]] const SiteRows& rows() const { return rows_; }
  [[nodiscard]] const emergence::SiteFacts& facts();
  [[nodiscard]] const emergence::Estimates& probe_auc();

 private:
  const Session& session_;
  const Bench& bench_;
  SiteRows rows_;
  std::optional<emergence::SiteFacts> facts_;
  std::optional<emergence::Estimates> probe_auc_;
};

/// A dictionary's labels and matches, from their files.
struct Labelled {
  Labelled(const Session& session, std::size_t dictionary);

  /// [h] on the fit part.
  [[nodiscard]] std::vector<double> fire_rates() const;
  /// Random latents in the place of the matched ones; none where the deck asks for none.
  [[nodiscard]] std::vector<emergence::Matched> random_draws(const deck::Deck& deck) const;

  interpret::Labels labels;
  match::MatchFile match;
  emergence::Matched matched;
};

/// What a dictionary reads at sites. Reads its files when it is made, and the residuals where it is at home
/// when it first measures.
class Tracker {
 public:
  Tracker(Session& session, const Bench& bench, std::size_t dictionary);

  /// Makes ready what only an anchor's own curves have: the thresholds swept, and random latents.
  void prepare_anchor();

  /// One point of a trail, from what is seen there. `random`: where random latents are wanted too.
  void measure(const Trail& trail, std::int64_t p, SiteView& view, emergence::Curve& curve,
               emergence::RandomLatents* random);

 private:
  struct At {
    const Trail& trail;
    std::int64_t p;
    emergence::Curve& curve;
    emergence::RandomLatents* random;
  };

  void go_home();
  sae::DeviceCodes rung(const At& at, emergence::Rung which, std::span<const float> u);
  void set_tau(const At& at, const sae::DeviceCodes& codes);

  Session& session_;
  const Bench& bench_;
  std::size_t dictionary_;
  sae::Sae sae_;
  Labelled read_;
  emergence::MatchedSets sets_;
  bool prepared_ = false;
  std::vector<emergence::MatchedSets> swept_;   ///< at each τ of the sweep
  std::vector<emergence::MatchedSets> random_;  ///< each draw of random latents
  std::optional<emergence::StrengthReference> reference_;
};

}  // namespace incipit::command
