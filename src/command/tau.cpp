#include "command/tau.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "align/file.hpp"
#include "command/activations.hpp"
#include "command/curve_view.hpp"
#include "command/judged.hpp"
#include "console/table.hpp"
#include "emergence/curve.hpp"
#include "emergence/facts.hpp"
#include "emergence/measures.hpp"
#include "match/file.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/file.hpp"

namespace incipit::command {
namespace {

using emergence::TauSweep;

/// How many latents match any subject at each threshold; similarity: [h, C].
std::vector<std::int64_t> count_latents(const std::vector<double>& taus, std::size_t subjects,
                                        const std::vector<float>& similarity,
                                        const std::vector<std::int8_t>& interpretable) {
  std::vector<std::int64_t> counts;
  for (const double tau : taus) {
    std::set<std::int32_t> any;
    for (const auto& latents :
         emergence::match_at(similarity, interpretable, static_cast<std::int32_t>(subjects), tau))
      any.insert(latents.begin(), latents.end());
    counts.push_back(std::ssize(any));
  }
  return counts;
}

TauSweep without_curves(const std::string& anchor, const match::MatchFile& file) {
  TauSweep sweep;
  sweep.anchor = anchor;
  sweep.used = file.matches.tau;
  sweep.used_auto = file.matches.tau_auto;
  for (const auto& subject : file.subjects.all) sweep.subjects.push_back(subject.name);
  sweep.tau = file.matches.sweep.tau;
  sweep.decoy_rate = file.matches.sweep.decoy_rate;
  sweep.matched = file.matches.sweep.matched;
  sweep.latents =
      count_latents(sweep.tau, sweep.subjects.size(), file.matches.similarity, file.interpretable);
  return sweep;
}

/// Whether all is there that the curve's sites are encoded from. Collective; rank 0 looks.
bool at_hand(const Session& session, std::size_t index, const Curve& curve) {
  const auto& anchor = session.study.anchors[index];
  std::vector<std::int64_t> there{1};
  parallel::together(session.world, "reading the ledger", [&] {
    if (!session.world.root()) return;
    std::vector<const Unit*> units{&session.ledger->sae(index)};
    for (const auto& site : curve.points) {
      if (anchor.is_left_out(site)) continue;
      units.push_back(&session.ledger->activations(site));
      if (session.study.model(site).config.d != session.study.model(anchor.site).config.d)
        units.push_back(&session.ledger->align(index));
    }
    there.front() =
        std::ranges::all_of(units, [](const Unit* unit) { return state_of(*unit) == State::done; }) ? 1 : 0;
  });
  session.world.broadcast(there);
  return there.front() != 0;
}

/// An anchor's dictionary at other sites, with the latents that match at each threshold.
class Sweeper {
 public:
  Sweeper(Session& session, std::size_t index, const match::MatchFile& file)
      : session_(session),
        anchor_(session.study.anchors[index]),
        align_path_(session.ledger->align(index).path),
        sites_(sites_of(anchor_)),
        judged_(session, {.bootstrap = 0, .permutations = 0}),
        sae_(sae::read_saes(store::Reader(session.ledger->sae(index).path, "sae")).front()),
        swept_(emergence::sets_at(*session.device, file.matches.similarity, file.interpretable,
                                  judged_.set.subjects, file.matches.sweep.tau)) {}

  /// probe_activation at each threshold, on the first rung that the site has: [tau, C]; nothing where the
  /// site has no numbers.
  [[nodiscard]] std::vector<double> at(const Site& site) const {
    std::vector<double> values;
    if (anchor_.is_left_out(site)) return values;
    const Activations file(session_.ledger->activations(site).path,
                           static_cast<std::int64_t>(session_.study.probes.all.size()));
    auto rows = file.rows(site.layer, judged_.probes);
    const align::Rows judged{rows, judged_.set.n(), file.width()};
    if (emergence::site_facts(judged, judged_.set).degenerate) return values;
    if (file.width() == sae_.d) {
      sae::normalise(rows, sae_.mean, sae_.scale, rows);
    } else {
      const auto index = std::ranges::find(sites_, site) - sites_.begin();
      const auto alignment = align::read_alignment(store::Reader(align_path_, "align"), index);
      if (alignment.rank == 0) return values;
      rows = align::apply(alignment, judged, static_cast<double>(sae_.scale));
    }
    const auto codes = sae::encode_on_device(*session_.device, sae_, rows, judged_.set.n());
    return emergence::probe_activation(codes, swept_, judged_.set, judged_.resampling);
  }

  [[nodiscard]] std::int32_t subjects() const { return judged_.set.subjects; }

 private:
  Session& session_;
  const Anchor& anchor_;
  std::filesystem::path align_path_;
  std::vector<Site> sites_;
  Judged judged_;
  sae::Sae sae_;
  std::vector<emergence::MatchedSets> swept_;  ///< at each threshold
};

/// The curve at each threshold, its points shared out over the ranks. Collective.
TauSweep::Along follow(Session& session, const Sweeper& sweeper, const Curve& curve,
                       const std::vector<double>& taus) {
  emergence::Curve gathered(curve.name, std::vector<emergence::Point>(curve.points.size()),
                            sweeper.subjects(), 0, taus);
  TauSweep::Along along{curve.name, {}, {}};
  for (const auto& site : curve.points)
    along.points.push_back(point_name(curve.name, session.study.model(site).name, site.step, site.layer));
  const std::vector<double> costs(curve.points.size(), 1.0);
  const auto owner = parallel::assign_longest_first(costs, session.world.size());
  parallel::together(session.world, "tau", [&] {
    for (std::size_t p = 0; p < curve.points.size() && !session.stop->asked(); ++p) {
      if (owner[p] != session.world.rank()) continue;
      const auto values = sweeper.at(curve.points[p]);
      if (!values.empty()) gathered.set_tau(static_cast<std::int64_t>(p), values);
    }
  });
  session.leave_if_asked();
  gathered.gather(session.world);
  along.probe_activation = gathered.tau_sweep();
  return along;
}

/// Mean over all subjects of what `of` says of each.
template <class F>
std::string mean_percent(const TauSweep& sweep, const F& of) {
  double sum = 0;
  for (std::size_t c = 0; c < sweep.subjects.size(); ++c) sum += of(c);
  return percent(sum / static_cast<double>(sweep.subjects.size()));
}

std::string overview(const TauSweep& sweep) {
  std::vector<console::Table::Column> columns{{"tau"}, {"decoys %"}, {"latents"}, {"subjects"}};
  for (const auto& along : sweep.curves)
    if (!along.points.empty())
      for (const char* place : {"first", "last", "largest"})
        columns.push_back({fmt::format("{} {} %", along.curve, place)});
  console::Table table(columns);
  for (std::size_t t = 0; t < sweep.tau.size(); ++t) {
    const auto matched = sweep.matched.begin() + static_cast<std::ptrdiff_t>(t * sweep.subjects.size());
    const auto any = std::count_if(matched, matched + static_cast<std::ptrdiff_t>(sweep.subjects.size()),
                                   [](std::int64_t count) { return count > 0; });
    std::vector<std::string> cells{fmt::format("{}{:.2f}", sweep.nearby(t) ? "* " : "", sweep.tau[t]),
                                   percent(sweep.decoy_rate[t]), fmt::format("{}", sweep.latents[t]),
                                   fmt::format("{}", any)};
    for (const auto& along : sweep.curves) {
      if (along.points.empty()) continue;
      const std::size_t last = along.points.size() - 1;
      cells.push_back(mean_percent(sweep, [&](std::size_t c) { return sweep.at_point(along, t, 0, c); }));
      cells.push_back(mean_percent(sweep, [&](std::size_t c) { return sweep.at_point(along, t, last, c); }));
      cells.push_back(mean_percent(sweep, [&](std::size_t c) { return sweep.largest(along, t, c); }));
    }
    table.row(cells);
  }
  return table.text();
}

/// What each subject's curve ends at, by threshold.
std::string by_subject(const TauSweep& sweep, const TauSweep::Along& along) {
  std::vector<console::Table::Column> columns{{"subject", console::Table::Side::left}};
  for (const double tau : sweep.tau) columns.push_back({fmt::format("{:.2f}", tau)});
  console::Table table(columns);
  for (std::size_t c = 0; c < sweep.subjects.size(); ++c) {
    std::vector<std::string> cells{sweep.subjects[c]};
    for (std::size_t t = 0; t < sweep.tau.size(); ++t)
      cells.push_back(sweep.matched[t * sweep.subjects.size() + c] == 0
                          ? "-"
                          : percent(sweep.at_point(along, t, along.points.size() - 1, c)));
    table.row(cells);
  }
  return table.text();
}

std::string in_words(const TauSweep& sweep, const emergence::HangsOnTau& one) {
  const std::string& subject = sweep.subjects[one.subject];
  std::string text = fmt::format("  {}: {} to {} latents", subject, one.most, one.fewest);
  if (one.curve.empty()) return text;
  const auto along = std::ranges::find(sweep.curves, one.curve, &TauSweep::Along::curve);
  const std::string where = one.place == "largest" ? "where it is largest"
                                                   : fmt::format("at its {} point ({})", one.place,
                                                                 one.place == "first" ? along->points.front()
                                                                                      : along->points.back());
  return text + fmt::format(", and fires on {} to {} % along {} {}", percent(one.high), percent(one.low),
                            one.curve, where);
}

}  // namespace

emergence::TauSweep sweep_tau(Session& session, std::size_t index) {
  session.require({&session.ledger->match(index)});
  const auto timer = session.timing.phase("tau");
  const auto& anchor = session.study.anchors[index];
  match::MatchFile file;
  parallel::together(session.world, "reading the matches",
                     [&] { file = match::read_match(session.ledger->match(index).path); });
  TauSweep sweep = without_curves(anchor.name, file);
  std::optional<Sweeper> sweeper;
  for (const auto& curve : anchor.curves) {
    if (!at_hand(session, index, curve)) {
      sweep.curves.push_back({curve.name, {}, {}});
      continue;
    }
    if (!sweeper)
      parallel::together(session.world, "reading the anchor", [&] { sweeper.emplace(session, index, file); });
    sweep.curves.push_back(follow(session, *sweeper, curve, sweep.tau));
  }
  return sweep;
}

emergence::TauSweep read_tau_sweep(const store::Reader& file, const std::string& anchor) {
  const std::string group = "anchors/" + anchor;
  TauSweep sweep;
  sweep.anchor = anchor;
  sweep.used = file.attribute_number(group + "/latents", "tau");
  sweep.used_auto = file.attribute_integer(group + "/latents", "tau_auto") != 0;
  sweep.subjects = file.strings("subject");
  sweep.tau = file.read<double>(group + "/tau/tau");
  const auto count = static_cast<std::int64_t>(sweep.tau.size()),
             subjects = static_cast<std::int64_t>(sweep.subjects.size());
  sweep.decoy_rate = file.read<double>(group + "/tau/decoy_rate", {count});
  sweep.matched = file.read<std::int64_t>(group + "/tau/matched", {count, subjects});
  auto interpretable = file.read<std::int8_t>(group + "/latents/status");
  for (auto& status : interpretable) status = status == 0 ? 1 : 0;
  const auto similarity = file.read<float>(group + "/latents/similarity",
                                           {static_cast<std::int64_t>(interpretable.size()), subjects});
  sweep.latents = count_latents(sweep.tau, sweep.subjects.size(), similarity, interpretable);
  for (const auto& name : file.children(group + "/curves")) {
    if (!file.has(group + "/tau/" + name)) continue;  // own_CURVE: no one dictionary's thresholds
    const CurveView curve(file, anchor, name);
    sweep.curves.push_back({name, curve.point_names(),
                            file.read<double>(fmt::format("{}/tau/{}/probe_activation", group, name),
                                              {count, curve.points(), subjects})});
  }
  return sweep;
}

std::string tau_table(const emergence::TauSweep& sweep) {
  std::string text = fmt::format("\nAnchor {} at other thresholds than match.tau = {:.3f}{}\n{}\n",
                                 sweep.anchor, sweep.used, sweep.used_auto ? " (auto)" : "", overview(sweep));
  for (const auto& along : sweep.curves)
    if (!along.points.empty())
      text += fmt::format("\nfires % along {} at its last point ({}), by tau\n{}\n", along.curve,
                          along.points.back(), by_subject(sweep, along));
  return text + tau_notes(sweep);
}

std::string tau_legend() {
  return "\n* within 0.1 of the tau used. decoys: phrases of no subject that match. latents: that match any "
         "subject.\n"
         "first, last, largest: fires % there, mean over all subjects; one without latents counts as 0.";
}

std::string tau_notes(const emergence::TauSweep& sweep) {
  std::string text;
  for (const auto& along : sweep.curves)
    if (along.points.empty())
      text += fmt::format(
          "\nHow the curve {} moves is not known: its sites' activations or alignments are not all there. "
          "`incipit track` (after `extract` and `align`) counts it.\n",
          along.curve);
  const auto hanging = emergence::hanging_on_tau(sweep);
  if (hanging.empty())
    return text +
           fmt::format(
               "\nAnchor {}: no subject hangs on tau: within {} of {:.2f} none loses its latents, and no "
               "curve moves by more than {:.0f} points, or {:.0f} and half of itself.\n",
               sweep.anchor, emergence::tau_nearby, sweep.used, 100 * emergence::tau_step,
               100 * emergence::tau_half);
  text += fmt::format("\nAnchor {}: what is said of {} of {} subjects hangs on tau. Within {} of {:.2f}:\n",
                      sweep.anchor, hanging.size(), sweep.subjects.size(), emergence::tau_nearby, sweep.used);
  for (const auto& one : hanging) text += in_words(sweep, one) + "\n";
  return text;
}

}  // namespace incipit::command
