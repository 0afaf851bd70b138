#include "command/latent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "command/curve_view.hpp"
#include "console/table.hpp"
#include "console/wrap.hpp"
#include "emergence/latent_card.hpp"
#include "error.hpp"
#include "refuse.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

using emergence::LatentCard;
using interpret::Status;

constexpr std::size_t subjects_shown = 5;  // beside those that match
constexpr std::size_t points_shown = 25;

std::pair<std::string, std::int64_t> parse_latent(const std::string& which) {
  const auto colon = which.rfind(':');
  std::int64_t latent = -1;
  if (colon != std::string::npos && colon > 0) {
    const char* begin = which.data() + colon + 1;
    const char* end = which.data() + which.size();
    const auto [stopped, error] = std::from_chars(begin, end, latent);
    if (error == std::errc{} && stopped == end && latent >= 0) return {which.substr(0, colon), latent};
  }
  throw Error(Exit::usage, fmt::format("--latent={}; expected ANCHOR:LATENT, such as time:37", which));
}

std::string verdict(const LatentCard& card) {
  const auto& label = card.label;
  switch (label.status) {
    case Status::interpretable:
      return "interpretable: its label tells on which texts it fires";
    case Status::uninterpretable:
      return "not interpretable: its F1 stays below the deck's interpret.f1";
    case Status::unsupported:
      return fmt::format(
          "unsupported, so not judged: it fires on {} verify probes of {} groups, fewer than the deck's "
          "interpret.min_support or than 3 groups",
          label.support, label.groups);
    case Status::dead:
      return "dead: it fires on no fit probe, so it has no label";
  }
  return {};
}

std::string scores(const LatentCard& card) {
  const auto& label = card.label;
  const std::string firing = two_digits(label.f1_always_yes / (2 - label.f1_always_yes));  // of those judged
  console::Table table({{"score", console::Table::Side::left}, {"label"}, {"always yes"}, {"coin"}});
  table.row({"F1", two_digits(label.f1), two_digits(label.f1_always_yes), two_digits(label.f1_coin)});
  table.row({"F1, lower 95 % bound", two_digits(label.f1_low), "", ""});
  table.row({"precision", two_digits(label.precision), firing, firing});
  table.row({"precision at its firing rate", two_digits(label.precision_at_rate), "", ""});
  table.row({"recall", two_digits(label.recall), "1.00", "0.50"});
  table.row({"balanced accuracy", two_digits(label.balanced_accuracy), "0.50", "0.50"});
  table.row({"AUC of the teacher's scores", two_digits(card.teacher_auc), "0.50", "0.50"});
  return fmt::format(
      "{}\njudged on {} verify probes; of all verify probes it fires on {}, of {} groups; {} answers "
      "unparsed\n",
      table.text(), card.judged, label.support, label.groups, label.unparsed);
}

std::string subjects(const LatentCard& card) {
  console::Table table({{"subject", console::Table::Side::left},
                        {"cosine"},
                        {"matched", console::Table::Side::left},
                        {"fires % (fit)"}});
  std::size_t others = 0;
  for (const auto& subject : card.subjects)
    if (subject.matched || others++ < subjects_shown)
      table.row({subject.name, two_digits(subject.cosine), subject.matched ? "yes" : "",
                 std::isnan(subject.fire_rate) ? "-" : fmt::format("{:.1f}", 100 * subject.fire_rate)});
  return fmt::format("{}\n(match.tau {:.3f})\n", table.text(), card.tau);
}

void add_texts(const LatentCard& card, interpret::Side side, const char* heading,
               double interpret::Nearest::*number, std::string& out) {
  bool any = false;
  for (const auto& text : card.texts) {
    if (text.nearest.side != side) continue;
    if (!any) out += fmt::format("\n{}\n", heading);
    any = true;
    const std::size_t width = std::max<std::size_t>(console::line_width(), 40) - 10;
    std::string first = fmt::format("{:>8.3f}", text.nearest.*number);
    for (const auto& line : console::wrapped(text.text, width, 3)) {
      out += fmt::format("{:>8}  {}\n", first, line);
      first.clear();
    }
  }
}

std::string texts(const LatentCard& card) {
  std::string out = "Verify texts, of each group at most one in each list\n";
  add_texts(card, interpret::Side::strongest, "fires most strongly (activation)",
            &interpret::Nearest::activation, out);
  add_texts(card, interpret::Side::weakest, "fires, by the least margin", &interpret::Nearest::margin, out);
  add_texts(card, interpret::Side::silent, "silent, but nearly fires (margin)", &interpret::Nearest::margin,
            out);
  return card.texts.empty() ? out + "\nthere are no verify probes\n" : out;
}

/// The places to show of `count`: all, or evenly spaced ones with both ends.
std::vector<std::size_t> places_shown(std::size_t count) {
  std::vector<std::size_t> places;
  const std::size_t shown = std::min(count, points_shown);
  for (std::size_t i = 0; i < shown; ++i)
    places.push_back(shown < 2 ? 0 : (i * (count - 1) + (shown - 1) / 2) / (shown - 1));
  return places;
}

std::string along(const CurveView& view, const LatentCard::Along& curve) {
  const auto count = static_cast<std::size_t>(view.points());
  const auto rates = curve.fire_rate.begin() + static_cast<std::ptrdiff_t>(view.rung() * view.points());
  double most = 0;
  for (std::size_t p = 0; p < count; ++p)
    if (rates[static_cast<std::ptrdiff_t>(p)] > most) most = rates[static_cast<std::ptrdiff_t>(p)];
  console::Table table(
      {{view.name(), console::Table::Side::left}, {"fires %"}, {"", console::Table::Side::left}});
  const auto places = places_shown(count);
  for (const std::size_t p : places) {
    const double rate = rates[static_cast<std::ptrdiff_t>(p)];
    const bool none = std::isnan(rate);
    const auto bar = none || most == 0 ? 0 : static_cast<std::size_t>(std::round(40 * rate / most));
    table.row({view.point_names()[p], none ? "-" : fmt::format("{:.1f}", 100 * rate), std::string(bar, '#')});
  }
  const std::string left_out =
      places.size() < count ? fmt::format(", {} of {} points", places.size(), count) : "";
  return fmt::format("\nOn how many judge probes it fires along {} (rung {}{})\n{}\n", view.name(),
                     view.rung_name(), left_out, table.text());
}

[[noreturn]] void refuse_older(const std::filesystem::path& emergence, const std::string& anchor,
                               const std::string& what) {
  refuse(
      emergence,
      fmt::format("no {0}: the file was written before it was kept. Move it and labels/{1}.h5 away and give "
                  "the command that made them again (incipit run DECK); the rest of the folder is used again",
                  what, anchor));
}

}  // namespace

void print_latent(const std::filesystem::path& emergence, const std::string& which) {
  const auto [anchor, latent] = parse_latent(which);
  const store::Reader file(emergence, "emergence");
  const LatentCard card = emergence::read_latent_card(file, anchor, latent);
  fmt::print("{}:{}  {}\n", anchor, latent,
             card.label.label.empty() ? "(no label)" : console::wrapped(card.label.label, 200, 1).front());
  fmt::print("{} step {} layer {}; teacher {}\n{}\n\n{}\n{}\n", card.model, card.step, card.layer,
             card.teacher, verdict(card), scores(card), subjects(card));
  if (card.has_texts) fmt::print("{}", texts(card));
  for (const auto& curve : card.curves)
    if (!curve.fire_rate.empty()) fmt::print("{}", along(CurveView(file, anchor, curve.curve), curve));
  if (!card.has_texts) refuse_older(emergence, anchor, "anchors/" + anchor + "/latents/nearest");
  for (const auto& curve : card.curves)
    if (curve.fire_rate.empty())
      refuse_older(emergence, anchor, "anchors/" + anchor + "/curves/" + curve.curve + "/fire_rate");
}

}  // namespace incipit::command
