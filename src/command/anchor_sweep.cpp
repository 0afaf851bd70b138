#include "command/anchor_sweep.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "command/curve_view.hpp"
#include "command/walk.hpp"
#include "console/table.hpp"
#include "match/file.hpp"
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
PlacedDictionary placed(const Session& session, const Trail& trail) {
  const auto file = match::read_match(session.ledger->match(trail.readings.front().dictionary).path);
  PlacedDictionary out;
  out.home = home_of(session.study, trail);
  out.interpretable = std::ranges::count(file.interpretable, 1);
  for (const auto& latents : emergence::matched_of(file.matches)) out.matched.push_back(std::ssize(latents));
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

/// How many trails' draws take a quarter of the memory, on one rank.
std::size_t trails_at_a_time(const Session& session) {
  const auto& study = session.study;
  const auto& draws = session.deck.track;
  const auto bytes = sizeof(double) * study.trails.front().readings.size() * study.probes.subjects.size() *
                     static_cast<std::size_t>(draws.bootstrap + draws.permutations + 1);
  const auto least = session.world.min(static_cast<std::int64_t>(session.memory / 4 / bytes));
  return static_cast<std::size_t>(std::max<std::int64_t>(least, session.world.size()));
}

/// Gathers as many trails as there are ranks (or as are left), the study's `first` and after; each rank
/// concludes from one of them.
void conclude_round(Session& session, std::size_t first, std::span<Followed> found, AnchorSweep& sweep) {
  const auto rank = static_cast<std::size_t>(session.world.rank());
  const auto here = found.first(std::min(found.size(), static_cast<std::size_t>(session.world.size())));
  std::optional<emergence::Curve> mine;
  for (std::size_t i = 0; i < here.size(); ++i) {
    here[i].gather(session.world);
    emergence::read_along(here[i].curve, sweep.of[first + i]);
    auto curve = std::move(here[i].curve);  // the others' go
    if (i == rank) mine = std::move(curve);
  }
  std::vector<double> concluded;
  parallel::together(session.world, "conclusions", [&] {
    const auto timer = session.timing.phase("conclude");
    if (mine) concluded = emergence::packed(emergence::conclude(*mine, sweep.of[first + rank].home));
  });
  const auto all = session.world.all_gather(concluded);
  const auto length = static_cast<std::ptrdiff_t>(all.size() / here.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(i) * length;
    sweep.of[first + i].concluded.assign(from, from + length);
  }
}

}  // namespace

/// Trails are followed as many at a time as their draws leave room for. Then a round has as many of them as
/// there are ranks, and each rank concludes from one.
AnchorSweep sweep_anchor(Session& session) {
  std::optional<Bench> bench;
  parallel::together(session.world, "drawing resamples", [&] { bench.emplace(session); });
  const auto& trails = session.study.trails;
  AnchorSweep sweep{trails.front().curve.name,
                    described(session.study, trails.front().curve),
                    session.study.probes.subjects,
                    {}};
  parallel::together(session.world, "reading the dictionaries", [&] {
    for (const auto& trail : trails) sweep.of.push_back(placed(session, trail));
  });
  Walk walk(session, *bench, session.ledger->sweep());
  const auto at_a_time = trails_at_a_time(session);
  for (std::size_t begin = 0; begin < trails.size(); begin += at_a_time) {
    auto found = walk.follow(begin, std::min(begin + at_a_time, trails.size()), "sweep");
    for (std::size_t i = 0; i < found.size(); i += static_cast<std::size_t>(session.world.size()))
      conclude_round(session, begin + i, std::span(found).subspan(i), sweep);
  }
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
