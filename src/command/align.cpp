#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "align/file.hpp"
#include "align/procrustes.hpp"
#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/judged.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

/// Procrustes of this rank's share of the sites onto their home.
std::vector<std::pair<std::int64_t, align::Alignment>> align_share(Session& session, const Maps& maps) {
  const auto& probes = session.study.probes;
  const auto n = static_cast<std::int64_t>(probes.all.size());
  const auto fit = probes.of(corpus::Part::fit), judge = probes.of(corpus::Part::judge);
  auto load = [&](const Site& site, const std::vector<std::int64_t>& which, std::vector<float>& rows) {
    const Activations file(session.ledger->activations(site).path, n);
    rows = file.rows(site.layer, which);
    return align::Rows{rows, static_cast<std::int64_t>(which.size()), file.width()};
  };
  const auto& sites = maps.sites;
  std::vector<double> costs;
  for (const auto& site : sites) costs.push_back(static_cast<double>(session.study.model(site).config.d));
  const auto owner = parallel::assign_longest_first(costs, session.world.size());
  const auto mine = std::ranges::count(owner, session.world.rank());
  std::vector<std::pair<std::int64_t, align::Alignment>> done;
  if (mine == 0) return done;
  std::vector<float> anchor_fit, anchor_judge, site_fit, site_judge;
  const auto reference_fit = load(maps.home, fit, anchor_fit);
  const auto reference_judge = load(maps.home, judge, anchor_judge);
  if (!align::varies(reference_fit)) return done;
  const align::Reference reference(*session.device, reference_fit, reference_judge, chosen(probes.group, fit),
                                   chosen(probes.group, judge), session.deck.run.seed);
  console::Progress progress(session.console, "align " + maps.name, mine, "sites of rank 0");
  for (std::size_t s = 0; s < sites.size() && !session.stop->asked(); ++s) {
    if (owner[s] != session.world.rank()) continue;
    const auto fit_rows = load(sites[s], fit, site_fit);
    const auto judge_rows = load(sites[s], judge, site_judge);
    done.emplace_back(static_cast<std::int64_t>(s), align::align(reference, fit_rows, judge_rows));
    progress.advance();
  }
  return done;
}

}  // namespace

void align(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::align, again);
  for (std::size_t m = 0; m < pending.size(); ++m) {
    if (!pending[m]) continue;
    const auto& maps = session.study.maps[m];
    std::vector<const Unit*> needed{&session.ledger->activations(maps.home)};
    for (const auto& site : maps.sites) needed.push_back(&session.ledger->activations(site));
    const auto& unit = session.ledger->align(m);
    const auto claimed = claim(session, session.world, unit);
    session.leave_if_asked();
    if (!claimed) continue;
    session.require(needed);  // another job that made this file may have let activations go since
    const auto timer = session.timing.phase("align");
    std::vector<std::pair<std::int64_t, align::Alignment>> mine;
    parallel::together(session.world, "align", [&] { mine = align_share(session, maps); });
    session.leave_if_asked();
    std::vector<align::SiteName> names;
    for (const auto& site : maps.sites)
      names.push_back({session.study.model(site).name, site.step, site.layer});
    parallel::together(session.world, "writing the alignments", [&] {
      const auto writing = session.timing.phase("write");
      store::Writer file(session.world, unit.path, session.header(unit));
      align::write_alignments(session.world, file, names, mine);
      file.commit();
    });
  }
}

}  // namespace incipit::command
