#include "command/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "command/control_view.hpp"
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

std::string mean_and_top(double mean, double top) {
  return std::isnan(mean) ? "-" : fmt::format("{} < {}", percent(mean), percent(top));
}

/// Everything that must stand beside a percentage, at one point.
std::string headline(const CurveView& curve, const ControlView& controls, std::int64_t point) {
  const auto* random = controls.find("random latents");
  const auto* floor = controls.find("floor");
  std::vector<Table::Column> columns{{"subject", left}, {"read", left}, {"|M|"},       {"fires %"},
                                     {"contrast %"},    {"95 %"},       {"null 95 %"}, {"p"}};
  if (random != nullptr) columns.push_back({"random %"});
  if (floor != nullptr) columns.push_back({"floor %"});
  if (!controls.untrained.empty()) columns.push_back({"untrained %"});
  columns.insert(columns.end(), {{"AUC"}, {"probe"}, {"word %"}, {"words %"}});
  Table table(columns);
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
    const auto i = curve.at(rung, point, c), at_point = static_cast<std::size_t>(point) * subjects + c;
    std::vector<std::string> cells{curve.subjects()[c],
                                   read[c] != 0 ? "yes" : "never",
                                   fmt::format("{}", latents),
                                   percent(fires[i]),
                                   percent(contrast[i]),
                                   interval(low[i], high[i], 100),
                                   interval(null_low[i], null_high[i], 100),
                                   std::isnan(p[i]) ? "-" : fmt::format("{:.3f}", p[i])};
    if (random != nullptr)
      cells.push_back(mean_and_top(random->contrast[at_point], controls.random_high[at_point]));
    if (floor != nullptr) cells.push_back(percent(floor->contrast[at_point]));
    if (!controls.untrained.empty()) cells.push_back(percent(controls.untrained[c]));
    for (auto& cell : {two_digits(auc[i]), two_digits(probe[at_point]), percent(baseline[c]),
                       percent(baseline[subjects + c])})
      cells.push_back(cell);
    table.row(cells);
  }
  return table.text();
}

/// Mean contrasts over the subjects at one point: the curve's and those of its controls.
std::string means(const CurveView& curve, const ControlView& controls, std::int64_t point) {
  const auto subjects = curve.subjects().size();
  const auto contrast = curve.all("contrast");
  const auto begin = contrast.begin() + static_cast<std::ptrdiff_t>(curve.at(curve.rung(), 0, 0));
  std::string text = fmt::format("mean contrast %: {}",
                                 percent(mean_over_subjects({begin, contrast.end()}, point, subjects)));
  for (const auto& [name, values] : controls.lines)
    text += fmt::format("; {} {}", name, percent(mean_over_subjects(values, point, subjects)));
  if (!controls.untrained.empty())
    text += fmt::format("; untrained {}", percent(mean_over_subjects(controls.untrained, 0, subjects)));
  return text;
}

/// Contrast of every subject at every point, and the mean of each control's.
std::string along(const CurveView& curve, const ControlView& controls) {
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
  for (const auto& [name, values] : controls.lines) {
    std::vector<std::string> cells{"mean, " + name};
    for (std::int64_t p = 0; p < curve.points(); ++p)
      cells.push_back(percent(mean_over_subjects(values, p, curve.subjects().size())));
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
      if (name.starts_with("own_")) continue;  // a control: shown beside its curve
      const CurveView curve(file, anchor, name);
      const ControlView controls(curve);
      const auto home = curve.home();
      text += fmt::format("\nAnchor {}, curve {}, rung {}, at {}\n{}\n{}\n", anchor, name, curve.rung_name(),
                          curve.point_names()[static_cast<std::size_t>(home)],
                          headline(curve, controls, home), means(curve, controls, home));
      if (curve.points() <= 16) text += "\n" + along(curve, controls) + "\n";
      text += findings(curve);
    }
    text += tau_notes(read_tau_sweep(file, anchor));
  }
  text +=
      "\ncontrast: share of the subject's probes that fire its latents, less the mean over the other "
      "subjects.\n"
      "null: the same with permuted subjects. probe: AUC of a linear classifier at this site. word, words: "
      "contrast "
      "of a\nclassifier that sees only the text's last word, or all its words.\n"
      "random: contrast of random latents that fire as often, mean over draws < upper end of their 95 % "
      "band. floor: "
      "of the\nsame latents in a model with random weights, aligned. untrained: of a dictionary, labels and "
      "matches "
      "made anew there.\nceiling: of the anchor cut to the dimensions of the point's model.\n"
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
