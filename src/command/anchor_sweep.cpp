#include "command/anchor_sweep.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "command/curve_view.hpp"
#include "command/walk.hpp"
#include "console/table.hpp"
#include "parallel/agree.hpp"

namespace incipit::command {
namespace {

using console::Table;
using emergence::AnchorSweep;
using emergence::PlacedDictionary;

/// The point of its curve at which the dictionary of a trail was made.
std::int64_t home_of(const Study& study, const Trail& trail) {
  const auto& home = study.dictionaries[trail.readings.front().dictionary].site;
  return std::ranges::find(trail.curve.points, home) - trail.curve.points.begin();
}

/// What is known of a dictionary before it is carried anywhere.
PlacedDictionary placed(Session& session, Walk& walk, const Trail& trail) {
  PlacedDictionary out;
  out.home = home_of(session.study, trail);
  parallel::together(session.world, "reading a dictionary", [&] {
    const auto& tracker = walk.tracker(trail.readings.front().dictionary);
    out.interpretable = std::ranges::count(tracker.dictionary().match.interpretable, 1);
    for (const auto& latents : tracker.dictionary().matched) out.matched.push_back(std::ssize(latents));
  });
  return out;
}

/// A place on the axis as the log's tables spell it.
std::string onset_place(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.0f}", value);
}

/// What the dictionaries say of each subject together, and beside it the anchor's own where it is one of
/// them.
std::string by_subject_table(const AnchorSweep& sweep, std::optional<std::size_t> own) {
  Table table({{"subject", Table::Side::left},
               {"matched by"},
               {"called by"},
               {"onset by: earliest"},
               {"median"},
               {"latest"},
               {"the anchor's", Table::Side::left}});
  for (std::size_t c = 0; c < sweep.subjects.size(); ++c) {
    const auto said = emergence::agreement(sweep, c);
    std::string anchors = "-";
    if (own && sweep.present(*own, c)) anchors = onset_place(sweep.concluded(*own, "onset_high", c));
    table.row({sweep.subjects[c], fmt::format("{}", said.matched), fmt::format("{}", said.present),
               onset_place(said.first), onset_place(said.middle), onset_place(said.last), anchors});
  }
  return table.text();
}

/// Whom each dictionary calls, and by when.
std::string by_dictionary_table(const AnchorSweep& sweep) {
  Table table({{"made at", Table::Side::left},
               {"labels hold"},
               {"matched"},
               {"called"},
               {"who, and by when", Table::Side::left}});
  for (std::size_t d = 0; d < sweep.of.size(); ++d) {
    const auto& of = sweep.of[d];
    const auto& home = sweep.points[static_cast<std::size_t>(of.home)];
    std::vector<std::string> called;
    for (std::size_t c = 0; c < sweep.subjects.size(); ++c)
      if (sweep.present(d, c))
        called.push_back(
            fmt::format("{} {}", sweep.subjects[c], onset_place(sweep.concluded(d, "onset_high", c))));
    table.row({point_name(sweep.curve, home.model, home.step, home.layer),
               fmt::format("{}", of.interpretable),
               fmt::format("{}", std::ranges::count_if(of.matched, [](auto n) { return n > 0; })),
               fmt::format("{}", called.size()), fmt::format("{}", fmt::join(called, ", "))});
  }
  return table.text();
}

}  // namespace

/// A round has as many dictionaries as there are ranks, and each rank concludes from one of them.
AnchorSweep sweep_anchor(Session& session) {
  std::optional<Bench> bench;
  parallel::together(session.world, "drawing resamples", [&] { bench.emplace(session); });
  const auto& trails = session.study.trails;
  AnchorSweep sweep{trails.front().curve.name,
                    described(session.study, trails.front().curve),
                    session.study.probes.subjects,
                    {}};
  std::int64_t points = 0;
  for (const auto& trail : trails) points += visits(session, trail);
  console::Progress progress(session.console, "sweep", points, "sites of rank 0");
  Walk walk(session, *bench, session.ledger->sweep());
  const auto ranks = static_cast<std::size_t>(session.world.size());
  for (std::size_t begin = 0; begin < trails.size(); begin += ranks) {
    const std::size_t end = std::min(begin + ranks, trails.size());
    std::optional<emergence::Curve> mine;
    for (std::size_t i = begin; i < end; ++i) {
      sweep.of.push_back(placed(session, walk, trails[i]));
      auto followed = walk.follow(trails[i], progress);
      emergence::read_along(followed.curve, sweep.of.back());
      if (i - begin == static_cast<std::size_t>(session.world.rank())) mine = std::move(followed.curve);
    }
    std::vector<double> concluded;
    parallel::together(session.world, "conclusions", [&] {
      const auto timer = session.timing.phase("conclude");
      const auto own = begin + static_cast<std::size_t>(session.world.rank());
      if (mine) concluded = emergence::packed(emergence::conclude(*mine, sweep.of[own].home));
    });
    const auto all = session.world.all_gather(concluded);
    const auto length = static_cast<std::ptrdiff_t>(all.size() / (end - begin));
    for (std::size_t i = begin; i < end; ++i) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(i - begin) * length;
      sweep.of[i].concluded.assign(from, from + length);
    }
  }
  progress.finish();
  return sweep;
}

std::string anchor_sweep_tables(const AnchorSweep& sweep, const Anchor& anchor) {
  std::optional<std::size_t> own;
  for (std::size_t d = 0; d < sweep.of.size(); ++d)
    if (anchor.curves.front().points[static_cast<std::size_t>(sweep.of[d].home)] == anchor.site) own = d;
  return fmt::format(
      "\nBirths along {} as {} dictionaries tell them, one made at each point\n{}\n\n{}\n\n"
      "matched by: dictionaries with a latent for the subject; called by: those by which it rises for good. "
      "onset "
      "by: the\nfirst point of the rise, over these; \"-\": none.\nThe dictionaries share their probes, so "
      "that "
      "several which agree are not several witnesses.",
      sweep.curve, sweep.of.size(), by_subject_table(sweep, own), by_dictionary_table(sweep));
}

}  // namespace incipit::command
