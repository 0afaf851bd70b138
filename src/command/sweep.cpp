#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include "command/activations.hpp"
#include "command/anchor_sweep.hpp"
#include "command/claim.hpp"
#include "command/command.hpp"
#include "command/curve_view.hpp"
#include "command/deck_command.hpp"
#include "command/judged.hpp"
#include "command/option.hpp"
#include "command/parts.hpp"
#include "command/stages.hpp"
#include "console/table.hpp"
#include "emergence/estimate.hpp"
#include "emergence/measures.hpp"
#include "emergence/seeds.hpp"
#include "emergence/size_sweep.hpp"
#include "error.hpp"
#include "interpret/file.hpp"
#include "interpret/summary.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "store/files.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

const std::string sweep_about =
    "usage: incipit sweep DECK [--anchor=NAME] [--k=1,2,4,8,16,32] [--latents=64,128,256] "
    "[--section.key=value ...]\n"
    "       incipit sweep DECK [--anchor=NAME] --over=time|space|scale [--section.key=value ...]\n\n"
    "What hangs on the size of the dictionary: trains one at the anchor for each k and each number of "
    "latents, and for\n"
    "each of sae.seeds seeds, labels and matches its latents, and says how many labels hold, how well the "
    "dictionary\n"
    "explains and how far the subjects stand out: sweep/ANCHOR.h5. A k above the number of latents is left "
    "out.\n"
    "--over: what hangs on where the dictionary is made. One is made at each point of that curve of the "
    "anchor, "
    "and each is\n"
    "carried along the whole curve; says when each subject is born as each of them tells: "
    "sweep/ANCHOR.over_CURVE.h5.\n\n";

struct SweepWords {
  std::optional<std::string> anchor, over;
  std::vector<std::int64_t> k{1, 2, 4, 8, 16, 32};
  std::vector<std::int64_t> latents{64, 128, 256, 512};
  bool sizes = false;  ///< whether any were named
  std::vector<std::string> others;
};

std::vector<std::int64_t> counts_of(const std::string& option, const std::string& list) {
  std::vector<std::int64_t> counts;
  for (const auto& part : parts_of(list)) {
    std::int64_t count = 0;
    const auto* const end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, count);
    if (read.ec != std::errc() || read.ptr != end || count < 1)
      throw Error(Exit::usage,
                  fmt::format("--{}={}: expected numbers from 1 up, between commas", option, list));
    counts.push_back(count);
  }
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

SweepWords sweep_words(const std::vector<std::string>& words) {
  SweepWords asked;
  for (const auto& word : words) {
    if (const auto name = value_of(word, "--anchor=")) {
      asked.anchor = *name;
    } else if (const auto over = value_of(word, "--over=")) {
      asked.over = *over;
    } else if (const auto k = value_of(word, "--k=")) {
      asked.k = counts_of("k", *k);
      asked.sizes = true;
    } else if (const auto latents = value_of(word, "--latents=")) {
      asked.latents = counts_of("latents", *latents);
      asked.sizes = true;
    } else {
      asked.others.push_back(word);
    }
  }
  if (asked.over && asked.sizes)
    throw Error(Exit::usage,
                "--over asks for dictionaries in several places, --k and --latents for several sizes: "
                "one sweep at a time");
  return asked;
}

/// The anchor named, or the first of the deck; with --over, the first that has such a curve.
std::size_t swept_anchor(const deck::Deck& deck, const SweepWords& asked) {
  std::vector<std::string> there;
  for (const auto& anchor : deck.anchors) {
    const bool follows = !asked.over || std::ranges::find(anchor.curves, *asked.over) != anchor.curves.end();
    if (follows && (!asked.anchor || anchor.name == *asked.anchor))
      return static_cast<std::size_t>(&anchor - deck.anchors.data());
    if (follows) there.push_back(anchor.name);
  }
  const std::string curve = asked.over ? " with a curve " + *asked.over : "";
  throw Error(Exit::usage,
              fmt::format("{}: no such anchor{}; there {}",
                          asked.anchor ? "--anchor=" + *asked.anchor : "--over=" + *asked.over, curve,
                          there.empty() ? "is none" : fmt::format("are {}", fmt::join(there, ", "))));
}

std::vector<SaeSize> sizes_of(const SweepWords& asked) {
  std::vector<SaeSize> sizes;
  for (const auto k : asked.k)
    for (const auto latents : asked.latents)
      if (k <= latents) sizes.push_back({k, latents});
  if (sizes.empty())
    throw Error(Exit::usage, fmt::format("--k={} --latents={}: no k is at most a number of latents",
                                         fmt::join(asked.k, ","), fmt::join(asked.latents, ",")));
  return sizes;
}

/// One dictionary at the site it was made from.
emergence::SizedDictionary measured(const Session& session, const Judged& judged, std::span<const float> rows,
                                    std::size_t index) {
  const MatchedDictionary dictionary(session, index);
  const auto& sae = dictionary.sae;
  const auto labels = interpret::read_labels(session.ledger->labels(index).path);
  emergence::SizedDictionary out;
  out.fvu = sae.verify_fvu;
  out.f1 = interpret::summarize(labels.latents).f1;
  out.status.assign(std::size(emergence::sized_counts), 0);
  for (const auto& latent : labels.latents) ++out.status.at(static_cast<std::size_t>(latent.status));
  for (const auto& latents : dictionary.matched) out.matched.push_back(std::ssize(latents));
  std::vector<float> u(rows.size());
  sae::normalise(rows, sae.mean, sae.scale, u);
  const auto codes = sae::encode_on_device(*session.device, sae, u, judged.set.n());
  auto shares = emergence::bare_shares(codes, {*session.device, dictionary.matched, sae.h}, judged.set,
                                       judged.resampling);
  out.probe_activation = std::move(shares.probe_activation);
  out.contrast = std::move(shares.contrast);
  return out;
}

/// All numbers of a dictionary in a row, as ranks exchange them.
std::vector<double> packed(const emergence::SizedDictionary& d) {
  std::vector<double> row{d.fvu, d.f1};
  for (const auto* counts : {&d.status, &d.matched})
    for (const auto count : *counts) row.push_back(static_cast<double>(count));
  for (const auto* shares : {&d.probe_activation, &d.contrast})
    row.insert(row.end(), shares->begin(), shares->end());
  return row;
}

emergence::SizedDictionary unpacked(std::span<const double> row, std::size_t subjects) {
  emergence::SizedDictionary d;
  d.fvu = row[0];
  d.f1 = row[1];
  auto next = row.begin() + 2;
  const auto counts = [&](std::vector<std::int64_t>& to, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) to.push_back(static_cast<std::int64_t>(*next++));
  };
  counts(d.status, std::size(emergence::sized_counts));
  counts(d.matched, subjects);
  d.probe_activation.assign(next, next + static_cast<std::ptrdiff_t>(subjects));
  next += static_cast<std::ptrdiff_t>(subjects);
  d.contrast.assign(next, row.end());
  return d;
}

/// Where the dictionary of a size and a seed stands in the study: sizes come first, then further seeds by
/// size.
std::size_t place_of(std::size_t size, std::size_t seed, std::size_t sizes, std::size_t seeds) {
  return seed == 0 ? size : sizes + size * (seeds - 1) + seed - 1;
}

emergence::SizeSweep measured_sweep(Session& session, const std::vector<SaeSize>& sizes) {
  const auto& study = session.study;
  const auto seeds = static_cast<std::size_t>(session.deck.sae.seeds);
  const auto& site = study.dictionaries.front().site;
  emergence::SizeSweep sweep{
      study.model(site).name, site.step, site.layer, study.probes.subjects, {}, {}, {}, {}};
  for (const auto& size : sizes) {
    sweep.k.push_back(size.k);
    sweep.latents.push_back(size.latents);
  }
  for (std::size_t s = 0; s < seeds; ++s)
    sweep.seed.push_back(static_cast<std::int64_t>(session.deck.run.seed + s));
  const auto total = static_cast<std::int64_t>(sizes.size() * seeds);
  const auto mine = parallel::block_of(total, session.world.size(), session.world.rank());
  std::vector<double> rows;
  parallel::together(session.world, "sweep", [&] {
    const auto timer = session.timing.phase("sweep");
    const Judged judged(session, resamples_alone(session.deck));
    const Activations file(session.ledger->activations(site).path, std::ssize(study.probes.all));
    const auto home = file.rows(site.layer, judged.probes);
    for (auto i = mine.begin; i < mine.end; ++i) {
      session.throw_if_asked();
      const auto at = static_cast<std::size_t>(i);
      const auto row =
          packed(measured(session, judged, home, place_of(at / seeds, at % seeds, sizes.size(), seeds)));
      rows.insert(rows.end(), row.begin(), row.end());
    }
  });
  const auto all = session.world.all_gather(rows);
  const std::size_t length = all.size() / static_cast<std::size_t>(total);
  for (std::size_t at = 0; at < all.size(); at += length)
    sweep.of.push_back(unpacked(std::span(all).subspan(at, length), sweep.subjects.size()));
  return sweep;
}

/// The mean over the seeds, and their range where there are several.
std::string over_seeds(const emergence::SizeSweep& sweep, std::size_t size,
                       const std::function<double(const emergence::SizedDictionary&)>& of,
                       std::string (*spell)(double)) {
  std::vector<double> values;
  for (std::size_t s = 0; s < sweep.seed.size(); ++s) values.push_back(of(sweep.at(size, s)));
  if (values.size() == 1) return spell(values.front());
  const auto found = emergence::spread(values);
  return fmt::format("{} ({} to {})", spell(found.mean), spell(found.low), spell(found.high));
}

std::string whole(double value) {
  return fmt::format("{:.0f}", value);
}

std::string sweep_table(const emergence::SizeSweep& sweep) {
  using emergence::SizedDictionary;
  console::Table table({{"k"},
                        {"latents"},
                        {"FVU"},
                        {"F1"},
                        {"hold"},
                        {"not"},
                        {"unsupported"},
                        {"dead"},
                        {"subjects"},
                        {"fires %"},
                        {"contrast %"}});
  for (std::size_t size = 0; size < sweep.k.size(); ++size) {
    const auto cell = [&](const std::function<double(const SizedDictionary&)>& of,
                          std::string (*spell)(double)) { return over_seeds(sweep, size, of, spell); };
    const auto status = [&](std::size_t s) {
      return cell([s](const SizedDictionary& d) { return static_cast<double>(d.status[s]); }, whole);
    };
    table.row({fmt::format("{}", sweep.k[size]), fmt::format("{}", sweep.latents[size]),
               cell([](const SizedDictionary& d) { return d.fvu; }, two_digits),
               cell([](const SizedDictionary& d) { return d.f1; }, two_digits), status(0), status(1),
               status(2), status(3),
               cell(
                   [](const SizedDictionary& d) {
                     return static_cast<double>(
                         std::ranges::count_if(d.matched, [](auto n) { return n > 0; }));
                   },
                   whole),
               cell([](const SizedDictionary& d) { return emergence::mean(d.probe_activation); }, percent),
               cell([](const SizedDictionary& d) { return emergence::mean(d.contrast); }, percent)});
  }
  return fmt::format(
      "\n{}\n\nhold: labels whose F1 reaches interpret.f1; F1: mean over those judged. subjects: with a "
      "matched latent; fires, "
      "contrast: mean over\nthese, on the judge part at the site itself.{}",
      table.text(), sweep.seed.size() > 1 ? " In brackets the range over seeds." : "");
}

/// Writes what was found and shows it. Collective.
template <class Found>
void leave(Session& session, const Found& found, void (*write)(store::Writer&, const Found&),
           const std::string& tables) {
  const auto& unit = session.ledger->sweep();
  parallel::together(session.world, "writing the sweep", [&] {
    const auto timer = session.timing.phase("write");
    if (session.world.root()) store::ensure_folder(unit.path.parent_path());
    store::Writer file(session.world, unit.path, session.header(unit));
    write(file, found);
    file.commit();
    if (session.world.root()) remove_parts(session.deck.run.output, unit);
  });
  if (session.world.root()) session.console.block(tables);
  close_session(session);
  session.console.line("\nsweep   {}", unit.path.string());
}

}  // namespace

void sweep(const parallel::Communicator& world, const std::vector<std::string>& words) {
  const SweepWords asked = sweep_words(words);
  const auto deck = read_deck(world, asked.others, sweep_about);
  if (!deck) return;
  std::size_t anchor = 0;
  std::vector<SaeSize> sizes;
  parallel::together(world, "reading the command line", [&] {
    anchor = swept_anchor(*deck, asked);
    if (!asked.over) sizes = sizes_of(asked);
  });
  const auto session =
      open_session(world, *deck, "sweep", Scope::curves, [&](Study& study, const deck::Deck& of) {
        if (asked.over)
          plan_anchor_sweep(study, of, anchor, *asked.over);
        else
          plan_size_sweep(study, of, anchor, sizes);
      });
  const bool again = deck->run.redo;
  for (const auto stage : {extract, train, interpret, match, align}) stage(*session, again);
  if (asked.over) {
    const auto found = sweep_anchor(*session);
    leave(*session, found, emergence::write_anchor_sweep,
          anchor_sweep_tables(found, session->study.anchors.front()));
  } else {
    const auto found = measured_sweep(*session, sizes);
    leave(*session, found, emergence::write_size_sweep, sweep_table(found));
  }
}

}  // namespace incipit::command
