#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "align/drift.hpp"
#include "align/file.hpp"
#include "align/procrustes.hpp"
#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "emergence/baseline.hpp"
#include "emergence/curve.hpp"
#include "emergence/facts.hpp"
#include "emergence/file.hpp"
#include "emergence/linear_probe.hpp"
#include "emergence/measures.hpp"
#include "interpret/file.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

template <class T>
std::vector<T> chosen(const std::vector<T>& all, const std::vector<std::int64_t>& which) {
  std::vector<T> out;
  for (auto i : which) out.push_back(all[static_cast<std::size_t>(i)]);
  return out;
}

/// What every site is judged by: the probes of the parts, and one set of resamples and permutations for all.
struct Bench {
  Bench(device::Device& device, const corpus::Probes& probes, const deck::Deck& deck)
      : fit(probes.of(corpus::Part::fit)),
        judge(probes.of(corpus::Part::judge)),
        fit_subject(chosen(probes.subject, fit)),
        fit_group(chosen(probes.group, fit)),
        judge_group(chosen(probes.group, judge)),
        total(static_cast<std::int64_t>(probes.all.size())),
        seed(deck.run.seed),
        subjects(static_cast<std::int32_t>(probes.subjects.size())) {
    for (auto i : fit) fit_texts.push_back(probes.all[static_cast<std::size_t>(i)].text);
    for (auto i : judge) judge_texts.push_back(probes.all[static_cast<std::size_t>(i)].text);
    // Questions give themselves away by length and punctuation, so the null exchanges like with like (science
    // §5).
    const bool questions = deck.probes.format != "jsonl";
    set = emergence::make_judge_set(
        subjects, chosen(probes.subject, judge), judge_group, probes.group_subject,
        questions ? emergence::question_strata(judge_texts) : std::vector<std::int32_t>{});
    resampling = emergence::make_resampling(device, set, deck.track, seed);
  }

  std::vector<std::int64_t> fit, judge;
  std::vector<std::int32_t> fit_subject, fit_group, judge_group;
  std::vector<std::string> fit_texts, judge_texts;
  std::int64_t total;
  std::uint64_t seed;
  std::int32_t subjects;
  emergence::JudgeSet set;
  emergence::Resampling resampling;
};

/// One anchor's dictionary, and what it reads at other sites.
class Tracker {
 public:
  Tracker(Session& session, const Bench& bench, std::size_t index)
      : session_(session),
        bench_(bench),
        anchor_(session.study.anchors[index]),
        align_(session.ledger->align(index).path, "align"),
        sae_(sae::read_saes(store::Reader(session.ledger->sae(index).path, "sae")).front()),
        match_(match::read_match(session.ledger->match(index).path)),
        labels_(interpret::read_labels(session.ledger->labels(index).path)),
        sites_(sites_of(anchor_)),
        sets_(*session.device, matched(bench.subjects), sae_.h) {
    const Activations home(session.ledger->activations(anchor_.site).path, bench.total);
    auto u = home.rows(anchor_.site.layer, bench.judge);
    sae::normalise(u, sae_.mean, sae_.scale, u);
    reference_ = emergence::strength_reference(sae::encode_on_device(*session.device, sae_, u, bench.set.n()),
                                               sets_, bench.set, bench.resampling);
    swept_ = emergence::sets_at(*session.device, match_.matches.similarity, match_.interpretable,
                                bench.subjects, match_.matches.sweep.tau);
  }

  /// The whole curve, its points shared out over the ranks. Collective.
  emergence::Curve follow(const Curve& curve, console::Progress& progress) {
    emergence::Curve result(curve.name, describe(curve), bench_.subjects, session_.deck.track.permutations,
                            match_.matches.sweep.tau, sae_.h);
    std::vector<double> costs;
    for (const auto& site : curve.points)
      costs.push_back(static_cast<double>(session_.study.model(site).config.d));
    const auto owner = parallel::assign_longest_first(costs, session_.world.size());
    parallel::together(session_.world, "track", [&] {
      for (std::size_t p = 0; p < curve.points.size() && !session_.stop->asked(); ++p) {
        if (owner[p] != session_.world.rank()) continue;
        measure(curve.points[p], static_cast<std::int64_t>(p), result);
        if (p > 0 && emergence::has_neighbours(curve.name))
          compare(curve.points[p - 1], curve.points[p], static_cast<std::int64_t>(p), result);
        progress.advance();
      }
    });
    session_.leave_if_asked();
    result.gather(session_.world);
    return result;
  }

  [[nodiscard]] emergence::AnchorResult result(const emergence::TokenBaseline& baseline) const {
    return {anchor_.name,
            session_.study.model(anchor_.site).name,
            anchor_.site.step,
            anchor_.site.layer,
            labels_,
            match_.matches,
            baseline,
            random_labels(),
            {}};
  }
  [[nodiscard]] const match::Subjects& subjects() const { return match_.subjects; }

 private:
  [[nodiscard]] std::optional<interpret::Labels> random_labels() const {
    const auto control = session_.study.control(anchor_, "random_weights");
    if (!control) return std::nullopt;
    return interpret::read_labels(session_.ledger->labels(*control).path);
  }

  std::vector<emergence::Point> describe(const Curve& curve) const {
    std::vector<emergence::Point> points;
    for (const auto& site : curve.points) {
      const auto& model = session_.study.model(site);
      points.push_back({model.name, model.config.params(), model.config.params_non_embedding(), site.step,
                        site.layer,
                        static_cast<double>(site.layer) / static_cast<double>(model.config.layers)});
    }
    return points;
  }

  void measure(const Site& site, std::int64_t p, emergence::Curve& curve) {
    if (std::ranges::find(anchor_.left_out, site) != anchor_.left_out.end())
      return curve.leave_out(p, emergence::Status::dropped);
    const auto timer = session_.timing.phase("track");
    const SiteRows rows = read(site);
    const auto [fit_rows, judge_rows] = rows.parts();
    const auto facts = emergence::site_facts(judge_rows, bench_.set);
    curve.set_facts(p, facts);
    if (facts.degenerate) return curve.leave_out(p, emergence::Status::degenerate);
    const auto scores = emergence::probe_scores(fit_rows, bench_.fit_subject, bench_.fit_group, judge_rows,
                                                bench_.subjects, bench_.seed);
    curve.set_probe_auc(p, emergence::measure_auc(scores, bench_.set, bench_.resampling));

    std::vector<float> u(rows.judge.size());
    if (rows.width == sae_.d) {
      sae::normalise(rows.judge, sae_.mean, sae_.scale, u);
      set_tau(p, curve, rung(p, curve, emergence::Rung::raw, u));
      const auto scale = emergence::site_scale(fit_rows);
      sae::normalise(rows.judge, scale.mean, scale.scale, u);
      rung(p, curve, emergence::Rung::rescaled, u);
    }
    const auto index = std::ranges::find(sites_, site) - sites_.begin();
    const auto alignment = align::read_alignment(align_, index);
    if (alignment.rank > 0) {
      const auto codes = rung(p, curve, emergence::Rung::aligned,
                              align::apply(alignment, judge_rows, static_cast<double>(sae_.scale)));
      if (rows.width != sae_.d) set_tau(p, curve, codes);
      curve.set_alignment(p, alignment);
    }
  }

  /// How far the residual stream has moved from a point to the next.
  void compare(const Site& before, const Site& now, std::int64_t p, emergence::Curve& curve) {
    for (const Site& site : {before, now})
      if (std::ranges::find(anchor_.left_out, site) != anchor_.left_out.end()) return;
    const auto timer = session_.timing.phase("drift");
    const SiteRows a = read(before), b = read(now);
    curve.set_drift(p, align::drift(*session_.device, a.parts(), b.parts(), bench_.fit_group,
                                    bench_.judge_group, bench_.seed));
  }

  /// The residuals of a site's fit and judge part.
  struct SiteRows {
    std::vector<float> fit, judge;
    std::int64_t width;
    [[nodiscard]] align::Parts parts() const {
      const auto view = [this](const std::vector<float>& rows) {
        return align::Rows{rows, std::ssize(rows) / width, width};
      };
      return {view(fit), view(judge)};
    }
  };
  [[nodiscard]] SiteRows read(const Site& site) const {
    const Activations file(session_.ledger->activations(site).path, bench_.total);
    return {file.rows(site.layer, bench_.fit), file.rows(site.layer, bench_.judge), file.width()};
  }

  sae::DeviceCodes rung(std::int64_t p, emergence::Curve& curve, emergence::Rung which,
                        std::span<const float> u) {
    auto site = emergence::encode_site(sae_, u, sets_, bench_.resampling);
    curve.set(p, which, emergence::measure_codes(site, sets_, bench_.set, bench_.resampling, reference_));
    curve.set_usage(p, which, emergence::usage(site.codes, sae_.h, bench_.resampling));
    return std::move(site.codes);
  }

  /// What hangs on τ, on the first rung that the site has.
  void set_tau(std::int64_t p, emergence::Curve& curve, const sae::DeviceCodes& codes) {
    curve.set_tau(p, emergence::probe_activation(codes, swept_, bench_.set, bench_.resampling));
  }

  [[nodiscard]] emergence::Matched matched(std::int32_t subjects) const {
    emergence::Matched sets;
    for (std::int32_t c = 0; c < subjects; ++c) {
      const auto latents = match_.matches.of(c);
      sets.emplace_back(latents.begin(), latents.end());
    }
    return sets;
  }

  Session& session_;
  const Bench& bench_;
  const Anchor& anchor_;
  store::Reader align_;
  sae::Sae sae_;
  match::MatchFile match_;
  interpret::Labels labels_;
  std::vector<Site> sites_;
  emergence::MatchedSets sets_;
  std::vector<emergence::MatchedSets> swept_;  ///< at each τ of the sweep
  emergence::StrengthReference reference_;
};

std::vector<const Unit*> needed_for_track(const Session& session) {
  std::vector<const Unit*> needed;
  for (auto stage : {deck::Stage::extract, deck::Stage::train, deck::Stage::interpret, deck::Stage::match,
                     deck::Stage::align, deck::Stage::attribute})
    for (const auto* unit : session.ledger->of(stage)) needed.push_back(unit);
  return needed;
}

}  // namespace

void track(Session& session, bool again) {
  if (!session.pending(deck::Stage::track, again).front()) return;
  session.require(needed_for_track(session));
  const auto& unit = session.ledger->emergence();
  const auto claimed = claim(session.world, unit, *session.stop);
  session.leave_if_asked();
  if (!claimed) return;

  const auto& study = session.study;
  emergence::Emergence result;
  std::int64_t points = 0;
  for (const auto& anchor : study.anchors)
    for (const auto& curve : anchor.curves)
      points +=
          parallel::block_of(static_cast<std::int64_t>(curve.points.size()), session.world.size(), 0).size();
  console::Progress progress(session.console, "track", points, "sites of rank 0");
  {
    std::optional<Bench> bench;
    std::optional<emergence::TokenBaseline> baseline;
    parallel::together(session.world, "token baseline", [&] {
      const auto timer = session.timing.phase("token baseline");
      bench.emplace(*session.device, study.probes, session.deck);
      baseline = emergence::token_baseline(bench->fit_texts, bench->fit_subject, bench->fit_group,
                                           bench->judge_texts, bench->set, bench->resampling, bench->seed);
    });
    for (std::size_t a = 0; a < study.anchors.size(); ++a) {
      std::optional<Tracker> tracker;
      parallel::together(session.world, "reading the anchor", [&] { tracker.emplace(session, *bench, a); });
      result.anchors.push_back(tracker->result(*baseline));
      result.subjects = tracker->subjects();
      if (session.ledger->attributes(a))
        parallel::together(session.world, "reading the attribution", [&] {
          result.anchors.back().attribution =
              emergence::read_attribution(session.ledger->attribution(a).path);
        });
      for (const auto& curve : study.anchors[a].curves)
        result.anchors.back().curves.push_back(tracker->follow(curve, progress));
    }
  }
  progress.finish();
  const auto& text = study.texts[static_cast<std::size_t>(
      study.text_of[static_cast<std::size_t>(study.anchors.front().site.model)])];
  result.probes = study.probes;
  result.audit = session.audit;
  for (const auto& tokens : text.tokens) result.tokens.push_back(static_cast<std::int32_t>(tokens.size()));
  result.last_token = text.last_token;
  const auto timer = session.timing.phase("write");
  parallel::together(session.world, "writing emergence.h5", [&] {
    store::Writer file(session.world, unit.path, session.header(unit));
    emergence::write_emergence(file, result);
    file.commit();
  });
}

}  // namespace incipit::command
