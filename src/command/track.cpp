#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "align/drift.hpp"
#include "align/file.hpp"
#include "align/principal.hpp"
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
#include "emergence/random_latents.hpp"
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

SiteRows read_rows(const Session& session, const Bench& bench, const Site& site) {
  const Activations file(session.ledger->activations(site).path, bench.total);
  return {file.rows(site.layer, bench.fit), file.rows(site.layer, bench.judge), file.width()};
}

/// A dictionary and its matches, and what they read at sites.
class Tracker {
 public:
  Tracker(Session& session, const Bench& bench, std::size_t index)
      : session_(session),
        bench_(bench),
        dictionary_(session.study.dictionaries[index]),
        sae_(sae::read_saes(store::Reader(session.ledger->sae(index).path, "sae")).at(dictionary_.seed)),
        match_(match::read_match(session.ledger->match(index).path)),
        labels_(interpret::read_labels(session.ledger->labels(index).path)),
        matched_(matched(match_.matches, bench.subjects)),
        sets_(*session.device, matched_, sae_.h) {
    const Activations home(session.ledger->activations(dictionary_.site).path, bench_.total);
    auto u = home.rows(dictionary_.site.layer, bench_.judge);
    sae::normalise(u, sae_.mean, sae_.scale, u);
    reference_ =
        emergence::strength_reference(sae::encode_on_device(*session.device, sae_, u, bench_.set.n()), sets_,
                                      bench_.set, bench_.resampling);
  }

  [[nodiscard]] const match::MatchFile& match() const { return match_; }
  [[nodiscard]] const interpret::Labels& labels() const { return labels_; }
  [[nodiscard]] std::int64_t latents() const { return sae_.h; }
  [[nodiscard]] const emergence::Matched& matched_latents() const { return matched_; }
  [[nodiscard]] std::vector<double> fire_rates() const {
    std::vector<double> rates;
    for (const auto& latent : labels_.latents) rates.push_back(latent.fire_rate);
    return rates;
  }

  [[nodiscard]] std::vector<emergence::Matched> random_draws() const {
    return emergence::random_latents(matched_, fire_rates(), session_.deck.controls.random_latents,
                                     bench_.seed);
  }

  /// Makes ready what only an anchor's own curves have: the thresholds swept, and random latents.
  void prepare_anchor() {
    if (!swept_.empty()) return;
    swept_ = emergence::sets_at(*session_.device, match_.matches.similarity, match_.interpretable,
                                bench_.subjects, match_.matches.sweep.tau);
    for (const auto& draw : random_draws()) random_.emplace_back(*session_.device, draw, sae_.h);
  }

  /// One point of a trail. `random`: where random latents are wanted too.
  void measure(const Trail& trail, std::int64_t p, emergence::Curve& curve,
               emergence::RandomLatents* random) {
    const Site& site = trail.readings[static_cast<std::size_t>(p)].site;
    const auto& left_out = session_.study.anchors[trail.anchor].left_out;
    if (std::ranges::find(left_out, site) != left_out.end())
      return curve.leave_out(p, emergence::Status::dropped);
    if (session_.deck.extract.loss && trail.of_anchor())
      curve.set_loss(p, store::Reader(session_.ledger->loss(site).path, "loss").scalar<double>("loss"));
    const auto timer = session_.timing.phase("track");
    SiteRows rows = read_rows(session_, bench_, site);
    const auto [fit_rows, judge_rows] = rows.parts();
    if (site.components > 0) {
      const align::PrincipalAxes axes(*session_.device, fit_rows);
      const auto cut_fit = axes.cut(fit_rows, site.components),
                 cut_judge = axes.cut(judge_rows, site.components);
      std::ranges::copy(cut_fit, rows.fit.begin());
      std::ranges::copy(cut_judge, rows.judge.begin());
    }
    const auto facts = emergence::site_facts(judge_rows, bench_.set);
    curve.set_facts(p, facts);
    if (facts.degenerate) return curve.leave_out(p, emergence::Status::degenerate);
    const auto scores = emergence::probe_scores(fit_rows, bench_.fit_subject, bench_.fit_group, judge_rows,
                                                bench_.subjects, bench_.seed);
    curve.set_probe_auc(p, emergence::measure_auc(scores, bench_.set, bench_.resampling));

    const At at{trail, p, curve, random};
    std::vector<float> u(rows.judge.size());
    if (rows.width == sae_.d) {
      sae::normalise(rows.judge, sae_.mean, sae_.scale, u);
      set_tau(at, rung(at, emergence::Rung::raw, u));
    }
    if (!trail.maps) return;
    if (rows.width == sae_.d) {
      const auto scale = emergence::site_scale(fit_rows);
      sae::normalise(rows.judge, scale.mean, scale.scale, u);
      rung(at, emergence::Rung::rescaled, u);
    }
    const auto& sites = session_.study.maps[*trail.maps].sites;
    const auto alignment =
        align::read_alignment(store::Reader(session_.ledger->align(*trail.maps).path, "align"),
                              std::ranges::find(sites, site) - sites.begin());
    if (alignment.rank > 0) {
      const auto codes = rung(at, emergence::Rung::aligned,
                              align::apply(alignment, judge_rows, static_cast<double>(sae_.scale)));
      if (rows.width != sae_.d) set_tau(at, codes);
      curve.set_alignment(p, alignment);
    }
  }

 private:
  struct At {
    const Trail& trail;
    std::int64_t p;
    emergence::Curve& curve;
    emergence::RandomLatents* random;
  };

  sae::DeviceCodes rung(const At& at, emergence::Rung which, std::span<const float> u) {
    auto site = emergence::encode_site(sae_, u, sets_, bench_.resampling);
    at.curve.set(at.p, which,
                 emergence::measure_codes(site, sets_, bench_.set, bench_.resampling, reference_));
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
  void set_tau(const At& at, const sae::DeviceCodes& codes) {
    if (!at.trail.of_anchor()) return;
    at.curve.set_tau(at.p, emergence::probe_activation(codes, swept_, bench_.set, bench_.resampling));
  }
  static emergence::Matched matched(const match::Matches& matches, std::int32_t subjects) {
    emergence::Matched sets;
    for (std::int32_t c = 0; c < subjects; ++c) {
      const auto latents = matches.of(c);
      sets.emplace_back(latents.begin(), latents.end());
    }
    return sets;
  }

  Session& session_;
  const Bench& bench_;
  const Dictionary& dictionary_;
  sae::Sae sae_;
  match::MatchFile match_;
  interpret::Labels labels_;
  emergence::Matched matched_;
  emergence::MatchedSets sets_;
  std::vector<emergence::MatchedSets> swept_;   ///< at each τ of the sweep
  std::vector<emergence::MatchedSets> random_;  ///< each draw of random latents
  emergence::StrengthReference reference_;
};

/// Follows trails, one after the other.
class Walk {
 public:
  Walk(Session& session, const Bench& bench) : session_(session), bench_(bench) {}

  /// The dictionary that an anchor's own curves are read with. The last one asked for is kept: most trails
  /// of an anchor share it.
  Tracker& tracker(std::size_t dictionary) {
    if (!tracker_ || held_ != dictionary) {
      tracker_.reset();
      tracker_.emplace(session_, bench_, dictionary);
      held_ = dictionary;
    }
    return *tracker_;
  }

  /// The whole curve, its points shared out over the ranks. Collective.
  emergence::Curve follow(const Trail& trail, emergence::RandomLatents* random, console::Progress& progress) {
    std::vector<double> tau;
    std::int64_t latents = 0;
    if (trail.of_anchor()) {
      parallel::together(session_.world, "reading the anchor", [&] {
        auto& anchor = tracker(trail.anchor);
        anchor.prepare_anchor();
        tau = anchor.match().matches.sweep.tau;
        latents = anchor.latents();
      });
    }
    emergence::Curve result(trail.curve.name, describe(trail.curve), bench_.subjects,
                            session_.deck.track.permutations, tau, latents, trail.concludes());
    std::vector<double> costs;
    for (const auto& reading : trail.readings)
      costs.push_back(static_cast<double>(session_.study.model(reading.site).config.d));
    const auto owner = parallel::assign_longest_first(costs, session_.world.size());
    parallel::together(session_.world, "track", [&] {
      for (std::size_t p = 0; p < trail.readings.size() && !session_.stop->asked(); ++p) {
        if (owner[p] != session_.world.rank()) continue;
        tracker(trail.readings[p].dictionary).measure(trail, static_cast<std::int64_t>(p), result, random);
        if (p > 0 && trail.of_anchor() && emergence::has_neighbours(trail.curve.name))
          compare(trail, p, result);
        progress.advance();
      }
    });
    session_.leave_if_asked();
    result.gather(session_.world);
    if (random != nullptr) random->gather(session_.world);
    return result;
  }

  /// |M_c| of what reads each point: [point, C].
  [[nodiscard]] std::vector<std::int64_t> matched(const Trail& trail) {
    std::vector<std::int64_t> counts;
    for (const auto& reading : trail.readings) {
      if (!counts_.contains(reading.dictionary)) {
        const auto matches = match::read_match(session_.ledger->match(reading.dictionary).path).matches;
        for (std::int32_t c = 0; c < bench_.subjects; ++c)
          counts_[reading.dictionary].push_back(std::ssize(matches.of(c)));
      }
      const auto& of = counts_[reading.dictionary];
      counts.insert(counts.end(), of.begin(), of.end());
    }
    return counts;
  }

 private:
  /// How far the residual stream has moved from the point before.
  void compare(const Trail& trail, std::size_t p, emergence::Curve& curve) const {
    const Site &before = trail.readings[p - 1].site, &now = trail.readings[p].site;
    const auto& left_out = session_.study.anchors[trail.anchor].left_out;
    for (const Site& site : {before, now})
      if (std::ranges::find(left_out, site) != left_out.end()) return;
    const auto timer = session_.timing.phase("drift");
    const SiteRows a = read_rows(session_, bench_, before), b = read_rows(session_, bench_, now);
    curve.set_drift(static_cast<std::int64_t>(p),
                    align::drift(*session_.device, a.parts(), b.parts(), bench_.fit_group, bench_.judge_group,
                                 bench_.seed));
  }

  [[nodiscard]] std::vector<emergence::Point> describe(const Curve& curve) const {
    std::vector<emergence::Point> points;
    for (const auto& site : curve.points) {
      const auto& model = session_.study.model(site);
      points.push_back({model.name, model.config.params(), model.config.params_non_embedding(), site.step,
                        site.layer,
                        static_cast<double>(site.layer) / static_cast<double>(model.config.layers)});
    }
    return points;
  }

  Session& session_;
  const Bench& bench_;
  std::optional<Tracker> tracker_;
  std::size_t held_ = 0;  ///< the dictionary of the tracker
  std::map<std::size_t, std::vector<std::int64_t>> counts_;
};

/// Labels and matches of an anchor's control, where it has such a dictionary.
void add_dictionary(const Session& session, std::size_t anchor, const std::string& name,
                    emergence::AnchorResult& result) {
  const auto control = session.study.control(session.study.anchors[anchor], name);
  if (!control) return;
  result.dictionaries.push_back({name, interpret::read_labels(session.ledger->labels(*control).path),
                                 match::read_match(session.ledger->match(*control).path).matches});
}

emergence::AnchorResult begin_anchor(Session& session, Walk& walk, std::size_t index,
                                     const emergence::TokenBaseline& baseline) {
  const auto& anchor = session.study.anchors[index];
  const auto& tracker = walk.tracker(index);
  emergence::AnchorResult result;
  result.name = anchor.name;
  result.model = session.study.model(anchor.site).name;
  result.step = anchor.site.step;
  result.layer = anchor.site.layer;
  result.seed = static_cast<std::int64_t>(session.deck.run.seed);
  result.labels = tracker.labels();
  result.matches = tracker.match().matches;
  result.token_baseline = baseline;
  result.matched_fire_rate = emergence::total_fire_rate(tracker.matched_latents(), tracker.fire_rates());
  for (const char* control : {"random_weights", "first_step"})
    add_dictionary(session, index, control, result);
  if (session.ledger->attributes(index))
    result.attribution = emergence::read_attribution(session.ledger->attribution(index).path);
  return result;
}

/// Follows a trail and puts what it gives where it belongs.
void add_trail(Session& session, Walk& walk, const Trail& trail, console::Progress& progress,
               emergence::AnchorResult& result) {
  std::optional<emergence::RandomLatents> random;
  if (trail.of_anchor() && session.deck.controls.random_latents > 0)
    parallel::together(session.world, "reading the anchor", [&] {
      const auto& tracker = walk.tracker(trail.anchor);
      random.emplace(trail.curve.name, std::ssize(trail.readings),
                     static_cast<std::int32_t>(session.study.probes.subjects.size()),
                     emergence::mean_fire_rate(tracker.random_draws(), tracker.fire_rates()));
    });
  auto curve = walk.follow(trail, random ? &*random : nullptr, progress);
  if (random) result.random_latents.push_back(std::move(*random));
  if (trail.of_anchor()) {
    result.curves.push_back(std::move(curve));
    return;
  }
  std::vector<std::int64_t> matched;
  parallel::together(session.world, "reading the matches", [&] { matched = walk.matched(trail); });
  if (!trail.seed) {
    result.control_curves.push_back({trail.place, std::move(curve), std::move(matched)});
    return;
  }
  matched.resize(session.study.probes.subjects.size());  // the same at every point
  result.seeds.push_back(
      {static_cast<std::int64_t>(session.deck.run.seed + *trail.seed), std::move(curve), std::move(matched)});
}

std::vector<const Unit*> needed_for_track(const Session& session) {
  std::vector<const Unit*> needed;
  for (auto stage : {deck::Stage::extract, deck::Stage::loss, deck::Stage::train, deck::Stage::interpret,
                     deck::Stage::match, deck::Stage::align, deck::Stage::attribute})
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
  for (const auto& trail : study.trails)
    points += parallel::block_of(std::ssize(trail.readings), session.world.size(), 0).size();
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
    Walk walk(session, *bench);
    for (std::size_t a = 0; a < study.anchors.size(); ++a) {
      parallel::together(session.world, "reading the anchor", [&] {
        result.anchors.push_back(begin_anchor(session, walk, a, *baseline));
        result.subjects = walk.tracker(a).match().subjects;
      });
      for (const auto& trail : study.trails)
        if (trail.anchor == a) add_trail(session, walk, trail, progress, result.anchors.back());
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
