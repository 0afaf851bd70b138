#include "command/tracker.hpp"

#include <algorithm>

#include "align/file.hpp"
#include "align/principal.hpp"
#include "align/procrustes.hpp"
#include "command/activations.hpp"
#include "emergence/facts.hpp"
#include "emergence/linear_probe.hpp"
#include "sae/encode.hpp"
#include "store/reader.hpp"

namespace incipit::command {

Tracker::Tracker(Session& session, const Bench& bench, std::size_t dictionary)
    : session_(session),
      bench_(bench),
      read_(session, dictionary),
      labels_(interpret::read_labels(session.ledger->labels(dictionary).path)),
      sets_(*session.device, read_.matched, read_.sae.h) {
  const Site& site = session.study.dictionaries[dictionary].site;
  const Activations home(session.ledger->activations(site).path, std::ssize(session.study.probes.all));
  auto u = home.rows(site.layer, bench.probes);
  sae::normalise(u, read_.sae.mean, read_.sae.scale, u);
  reference_ =
      emergence::strength_reference(sae::encode_on_device(*session.device, read_.sae, u, bench.set.n()),
                                    sets_, bench.set, bench.resampling);
}

std::vector<double> Tracker::fire_rates() const {
  std::vector<double> rates;
  for (const auto& latent : labels_.latents) rates.push_back(latent.fire_rate);
  return rates;
}

std::vector<double> Tracker::matched_fire_rate() const {
  return emergence::total_fire_rate(read_.matched, fire_rates());
}

void Tracker::prepare_anchor() {
  if (prepared_) return;
  const auto& file = read_.match;
  swept_ = emergence::sets_at(*session_.device, file.matches.similarity, file.interpretable,
                              bench_.set.subjects, file.matches.sweep.tau);
  draws_ = emergence::random_latents(read_.matched, fire_rates(), session_.deck.controls.random_latents,
                                     session_.deck.run.seed);
  for (const auto& draw : draws_) random_.emplace_back(*session_.device, draw, read_.sae.h);
  prepared_ = true;
}

std::optional<emergence::RandomLatents> Tracker::random_along(const Trail& trail) const {
  if (draws_.empty()) return std::nullopt;
  return emergence::RandomLatents(trail.curve.name, std::ssize(trail.readings), bench_.set.subjects,
                                  emergence::mean_fire_rate(draws_, fire_rates()));
}

void Tracker::measure(const Trail& trail, std::int64_t p, const SiteRows& rows, emergence::Curve& curve,
                      emergence::RandomLatents* random) {
  const At at{trail, p, curve, random};
  const Site& site = trail.readings[static_cast<std::size_t>(p)].site;
  if (site.components == 0) return climb(at, rows);
  SiteRows some = rows;
  cut(site, some);
  climb(at, some);
}

/// Leaves of the residuals what lies along the site's first principal components.
void Tracker::cut(const Site& site, SiteRows& rows) const {
  const auto [fit, judge] = rows.parts();
  const align::PrincipalAxes axes(*session_.device, fit);
  const auto cut_fit = axes.cut(fit, site.components), cut_judge = axes.cut(judge, site.components);
  std::ranges::copy(cut_fit, rows.fit.begin());
  std::ranges::copy(cut_judge, rows.judge.begin());
}

/// What is there at all, and then the rungs that the site has, in order.
void Tracker::climb(const At& at, const SiteRows& rows) {
  const auto [fit, judge] = rows.parts();
  const auto facts = emergence::site_facts(judge, bench_.set);
  at.curve.set_facts(at.p, facts);
  if (facts.degenerate) return at.curve.leave_out(at.p, emergence::Status::degenerate);
  if (at.trail.with_linear_probe) {
    const auto scores = emergence::probe_scores(fit, bench_.fit_subject, bench_.fit_group, judge,
                                                bench_.set.subjects, session_.deck.run.seed);
    at.curve.set_probe_auc(at.p, emergence::measure_auc(scores, bench_.set, bench_.resampling));
  }
  const auto& sae = read_.sae;
  const bool as_wide = rows.width == sae.d;
  std::vector<float> u(rows.judge.size());
  if (as_wide) {
    sae::normalise(rows.judge, sae.mean, sae.scale, u);
    set_tau(at, rung(at, emergence::Rung::raw, u));
  }
  if (!at.trail.maps) return;
  if (as_wide) {
    const auto scale = emergence::site_scale(fit);
    sae::normalise(rows.judge, scale.mean, scale.scale, u);
    rung(at, emergence::Rung::rescaled, u);
  }
  const auto& sites = session_.study.maps[*at.trail.maps].sites;
  const auto which = std::ranges::find(sites, at.trail.readings[static_cast<std::size_t>(at.p)].site);
  const auto alignment = align::read_alignment(
      store::Reader(session_.ledger->align(*at.trail.maps).path, "align"), which - sites.begin());
  if (alignment.rank == 0) return;
  const auto codes =
      rung(at, emergence::Rung::aligned, align::apply(alignment, judge, static_cast<double>(sae.scale)));
  if (!as_wide) set_tau(at, codes);
  at.curve.set_alignment(at.p, alignment);
}

sae::DeviceCodes Tracker::rung(const At& at, emergence::Rung which, std::span<const float> u) {
  auto site = emergence::encode_site(read_.sae, u, sets_, bench_.resampling);
  at.curve.set(at.p, which, emergence::measure_codes(site, sets_, bench_.set, bench_.resampling, reference_));
  auto used = emergence::usage(site.codes, read_.sae.h, bench_.resampling);
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
