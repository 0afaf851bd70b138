#include "command/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "command/curve_view.hpp"
#include "command/findings.hpp"
#include "command/tau.hpp"
#include "console/table.hpp"
#include "interpret/autointerp.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

using console::Table;
constexpr auto left = Table::Side::left;

std::string band(double low, double high) {
  return std::isnan(low) || std::isnan(high) ? "-" : fmt::format("{:.0f} to {:.0f}", 100 * low, 100 * high);
}

/// Everything that must stand beside a percentage, at one point.
std::string headline(const CurveView& curve, std::int64_t point) {
  Table table({{"subject", left},
               {"read", left},
               {"|M|"},
               {"fires %"},
               {"contrast %"},
               {"95 %"},
               {"null 95 %"},
               {"p"},
               {"AUC"},
               {"probe AUC"},
               {"last word %"},
               {"all words %"}});
  const auto& file = curve.file();
  const auto rung = curve.rung();
  const auto fires = curve.all("probe_activation"), contrast = curve.all("contrast"),
             low = curve.all("contrast_low"), high = curve.all("contrast_high"),
             null_low = curve.all("contrast_null_low"), null_high = curve.all("contrast_null_high"),
             p = curve.all("contrast_p"), auc = curve.all("auc"), probe = curve.all("probe_auc");
  const auto matched = file.read<std::int8_t>(curve.anchor_path("latents/matched"));
  const auto baseline = file.read<double>(curve.anchor_path("controls/token_baseline/contrast"));
  const auto read = file.read<std::int8_t>("read");
  const auto subjects = curve.subjects().size();
  for (std::size_t c = 0; c < subjects; ++c) {
    std::int64_t latents = 0;
    for (std::size_t j = c; j < matched.size(); j += subjects) latents += matched[j];
    const auto i = curve.at(rung, point, c);
    table.row({curve.subjects()[c], read[c] != 0 ? "yes" : "never", fmt::format("{}", latents),
               percent(fires[i]), percent(contrast[i]), band(low[i], high[i]),
               band(null_low[i], null_high[i]), std::isnan(p[i]) ? "-" : fmt::format("{:.3f}", p[i]),
               two_digits(auc[i]), two_digits(probe[static_cast<std::size_t>(point) * subjects + c]),
               percent(baseline[c]), percent(baseline[subjects + c])});
  }
  return table.text();
}

/// Contrast of every subject at every point.
std::string along(const CurveView& curve) {
  std::vector<Table::Column> columns{{"contrast %", left}};
  for (const auto& name : curve.point_names()) columns.push_back({name});
  Table table(columns);
  const auto contrast = curve.all("contrast");
  for (std::size_t c = 0; c < curve.subjects().size(); ++c) {
    std::vector<std::string> cells{curve.subjects()[c]};
    for (std::int64_t p = 0; p < curve.points(); ++p)
      cells.push_back(percent(contrast[curve.at(curve.rung(), p, c)]));
    table.row(cells);
  }
  return table.text();
}

/// "35 of 128 latents interpretable, 67 % of the 52 judged": of the labels below a group.
std::string interpretable(const store::Reader& file, const std::string& group) {
  using interpret::Status;
  const auto status = file.read<std::int8_t>(group + "/latents/status");
  const auto good = std::ranges::count(status, static_cast<std::int8_t>(Status::interpretable));
  const auto judged = good + std::ranges::count(status, static_cast<std::int8_t>(Status::uninterpretable));
  return fmt::format("{} of {} latents interpretable, {} % of the {} judged", good, status.size(),
                     percent(static_cast<double>(good) / static_cast<double>(judged)), judged);
}

/// How many labels hold, and how many do that are made of a model which never learned.
std::string labels_line(const store::Reader& file, const std::string& anchor) {
  const auto group = "anchors/" + anchor, control = group + "/controls/random_weights";
  return fmt::format("\nAnchor {}: {}{}\n", anchor, interpretable(file, group),
                     file.has(control) ? "; with random weights " + interpretable(file, control) : "");
}

}  // namespace

std::string results_table(const std::filesystem::path& emergence) {
  const store::Reader file(emergence, "emergence");
  std::string text;
  for (const auto& anchor : file.children("anchors")) {
    text += labels_line(file, anchor);
    for (const auto& name : file.children("anchors/" + anchor + "/curves")) {
      const CurveView curve(file, anchor, name);
      const auto home = curve.home();
      text += fmt::format("\nAnchor {}, curve {}, rung {}, at {}\n{}\n", anchor, name, curve.rung_name(),
                          curve.point_names()[static_cast<std::size_t>(home)], headline(curve, home));
      if (curve.points() <= 16) text += "\n" + along(curve) + "\n";
      text += findings(curve);
    }
    text += tau_notes(read_tau_sweep(file, anchor));
  }
  text +=
      "\ncontrast: share of the subject's probes that fire its latents, less the mean over the other "
      "subjects.\n"
      "null: the same with permuted subjects. last word, all words: contrast of a classifier that sees only "
      "the text.\n"
      "rises for good: the level, mean of the last three points, lies above 0 and holds among all subjects "
      "(q "
      "<= 0.05).\n"
      "onset: between the points before and behind it. before it, why: lost, not even a linear probe finds "
      "it; "
      "recoded, one\n"
      "does, this dictionary does not; outvoted, other latents win; turned, rescaled: it is there in a "
      "turned "
      "basis, or\n"
      "once mean and norm are taken off.\n"
      "A subject that was never read and rises all the same shows detection, not knowledge.";
  return text;
}

}  // namespace incipit::command
