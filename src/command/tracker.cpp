#include "command/tracker.hpp"

#include <algorithm>
#include <utility>

#include "align/file.hpp"
#include "align/principal.hpp"
#include "align/procrustes.hpp"
#include "command/activations.hpp"
#include "emergence/facts.hpp"
#include "emergence/linear_probe.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {

SiteView::SiteView(const Session& session, const Bench& bench, const Site& site)
    : session_(session), bench_(bench), rows_(session, bench, site) {
  if (site.components == 0) return;
  // What lies along the first principal components is left.
  const auto [fit, judge] = rows_.parts();
  const align::PrincipalAxes axes(*session.device, fit);
  const auto cut_fit = axes.cut(fit, site.components), cut_judge = axes.cut(judge, site.components);
  std::ranges::copy(cut_fit, rows_.fit.begin());
  std::ranges::copy(cut_judge, rows_.judge.begin());
}

const emergence::SiteFacts& SiteView::facts() {
  if (!facts_) facts_ = emergence::site_facts(rows_.parts().judge, bench_.set);
  return *facts_;
}

const emergence::Estimates& SiteView::probe_auc() {
  if (probe_auc_) return *probe_auc_;
  const auto [fit, judge] = rows_.parts();
  const auto scores = emergence::probe_scores(fit, bench_.fit_subject, bench_.fit_group, judge,
                                              bench_.set.subjects, session_.deck.run.seed);
  return probe_auc_.emplace(emergence::measure_auc(scores, bench_.set, bench_.resampling));
}

Labelled::Labelled(const Session& session, std::size_t dictionary)
    : labels(interpret::read_labels(session.ledger->labels(dictionary).path)),
      match(match::read_match(session.ledger->match(dictionary).path)),
      matched(emergence::matched_of(match.matches)) {}

std::vector<double> Labelled::fire_rates() const {
  std::vector<double> rates;
  for (const auto& latent : labels.latents) rates.push_back(latent.fire_rate);
  return rates;
}

std::vector<emergence::Matched> Labelled::random_draws(const deck::Deck& deck) const {
  return emergence::random_latents(matched, fire_rates(), deck.controls.random_latents, deck.run.seed);
}

Tracker::Tracker(Session& session, const Bench& bench, std::size_t dictionary)
    : session_(session),
      bench_(bench),
      dictionary_(dictionary),
      sae_(read_sae(session, dictionary)),
      read_(session, dictionary),
      sets_(*session.device, read_.matched, sae_.h) {}

void Tracker::prepare_anchor() {
  if (std::exchange(prepared_, true)) return;
  swept_ = emergence::sets_at(*session_.device, read_.match.matches.similarity, read_.match.interpretable,
                              bench_.set.subjects, read_.match.matches.sweep.tau);
  for (const auto& draw : read_.random_draws(session_.deck))
    random_.emplace_back(*session_.device, draw, sae_.h);
}

/// How strongly the dictionary's latents fire where it was made.
void Tracker::go_home() {
  const Site& site = session_.study.dictionaries[dictionary_].site;
  const Activations home(session_.ledger->activations(site).path, std::ssize(session_.study.probes.all));
  auto u = home.rows(site.layer, bench_.probes);
  sae::normalise(u, sae_.mean, sae_.scale, u);
  reference_ = emergence::strength_reference(sae::encode_on_device(*session_.device, sae_, u, bench_.set.n()),
                                             sets_, bench_.set, bench_.resampling);
}

/// What is there at all, and then the rungs that the site has, in order.
void Tracker::measure(const Trail& trail, std::int64_t p, SiteView& view, emergence::Curve& curve,
                      emergence::RandomLatents* random) {
  const At at{trail, p, curve, random};
  const auto& rows = view.rows();
  curve.set_facts(p, view.facts());
  if (view.facts().degenerate) return curve.leave_out(p, emergence::Status::degenerate);
  if (trail.with_linear_probe) curve.set_probe_auc(p, view.probe_auc());
  if (!reference_) go_home();
  const auto [fit, judge] = rows.parts();
  const bool as_wide = rows.width == sae_.d;
  std::vector<float> u(rows.judge.size());
  if (as_wide) {
    sae::normalise(rows.judge, sae_.mean, sae_.scale, u);
    set_tau(at, rung(at, emergence::Rung::raw, u));
  }
  if (!trail.maps) return;
  if (as_wide) {
    const auto scale = emergence::site_scale(fit);
    sae::normalise(rows.judge, scale.mean, scale.scale, u);
    rung(at, emergence::Rung::rescaled, u);
  }
  const auto& sites = session_.study.maps[*trail.maps].sites;
  const auto which = std::ranges::find(sites, trail.readings[static_cast<std::size_t>(p)].site);
  const auto alignment = align::read_alignment(
      store::Reader(session_.ledger->align(*trail.maps).path, "align"), which - sites.begin());
  if (alignment.rank == 0) return;
  const auto codes =
      rung(at, emergence::Rung::aligned, align::apply(alignment, judge, static_cast<double>(sae_.scale)));
  if (!as_wide) set_tau(at, codes);
  curve.set_alignment(p, alignment);
}

sae::DeviceCodes Tracker::rung(const At& at, emergence::Rung which, std::span<const float> u) {
  auto site = emergence::encode_site(sae_, u, sets_, bench_.resampling);
  at.curve.set(at.p, which,
               emergence::measure_codes(site, sets_, bench_.set, bench_.resampling, *reference_));
  auto used = emergence::usage(site.codes, sae_.h, bench_.resampling);
  if (!at.trail.of_anchor()) used.fire_rate.clear();
  at.curve.set_usage(at.p, which, used);
  if (at.random != nullptr) {
    std::vector<emergence::BareShares> draws;
    for (const auto& sets : random_)
      draws.push_back(emergence::bare_shares(site.codes, sets, bench_.set, bench_.resampling));
    at.random->set(at.p, which, draws);
  }
  return std::move(site.codes);
}

/// What hangs on τ, on the first rung that the site has.
void Tracker::set_tau(const At& at, const sae::DeviceCodes& codes) {
  if (!at.trail.of_anchor()) return;
  at.curve.set_tau(at.p, emergence::probe_activation(codes, swept_, bench_.set, bench_.resampling));
}

}  // namespace incipit::command
