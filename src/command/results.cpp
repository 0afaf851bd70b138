#include "command/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "console/table.hpp"
#include "interpret/autointerp.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

using console::Table;
constexpr auto left = Table::Side::left;

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.0f}", 100 * share);
}

std::string band(double low, double high) {
  return std::isnan(low) || std::isnan(high) ? "-" : fmt::format("{:.0f} to {:.0f}", 100 * low, 100 * high);
}

std::string two_digits(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.2f}", value);
}

/// One curve of one anchor, as the tables need it.
class CurveView {
 public:
  CurveView(const store::Reader& file, std::string anchor, std::string curve)
      : file_(file), anchor_(std::move(anchor)), curve_(std::move(curve)) {
    subjects_ = file.strings("subject");
    shape_ = file.shape(path("contrast"));
  }

  [[nodiscard]] std::int64_t points() const { return shape_[1]; }
  [[nodiscard]] const std::vector<std::string>& subjects() const { return subjects_; }
  [[nodiscard]] std::string path(const std::string& name) const {
    return fmt::format("anchors/{}/curves/{}/{}", anchor_, curve_, name);
  }
  [[nodiscard]] std::string anchor_path(const std::string& name) const {
    return fmt::format("anchors/{}/{}", anchor_, name);
  }
  [[nodiscard]] std::vector<double> all(const std::string& measure) const {
    return file_.read<double>(path(measure));
  }
  /// Where [rung, point, subject] lies.
  [[nodiscard]] std::size_t at(std::int64_t rung, std::int64_t point, std::size_t subject) const {
    return static_cast<std::size_t>((rung * shape_[1] + point) * shape_[2]) + subject;
  }
  /// The rung to show: raw, as the paper reads it, unless widths differ along the curve and only `aligned`
  /// exists.
  [[nodiscard]] std::int64_t rung() const { return curve_ == "scale" ? 2 : 0; }
  [[nodiscard]] std::string rung_name() const {
    return file_.strings(path("rung"))[static_cast<std::size_t>(rung())];
  }
  [[nodiscard]] std::string point_name(std::int64_t point) const {
    const auto p = static_cast<std::size_t>(point);
    if (curve_ == "time") return fmt::format("{}", file_.read<std::int64_t>(path("step"))[p]);
    if (curve_ == "space") return fmt::format("layer {}", file_.read<std::int64_t>(path("layer"))[p]);
    if (curve_ == "scale") return file_.strings(path("model"))[p];
    return fmt::format("{} {} {}", file_.strings(path("model"))[p], file_.read<std::int64_t>(path("step"))[p],
                       file_.read<std::int64_t>(path("layer"))[p]);
  }

  /// The point at which the anchor itself sits: where its concepts are at home.
  [[nodiscard]] std::int64_t home() const {
    const auto model = file_.attribute_string(anchor_path(""), "model");
    const auto step = file_.attribute_integer(anchor_path(""), "step"),
               layer = file_.attribute_integer(anchor_path(""), "layer");
    const auto models = file_.strings(path("model"));
    const auto steps = file_.read<std::int64_t>(path("step")),
               layers = file_.read<std::int64_t>(path("layer"));
    for (std::size_t p = 0; p < models.size(); ++p)
      if (models[p] == model && steps[p] == step && layers[p] == layer) return static_cast<std::int64_t>(p);
    return points() - 1;
  }

  [[nodiscard]] const store::Reader& file() const { return file_; }

 private:
  const store::Reader& file_;
  std::string anchor_, curve_;
  std::vector<std::string> subjects_;
  std::vector<std::int64_t> shape_;
};

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
  for (std::int64_t p = 0; p < curve.points(); ++p) columns.push_back({curve.point_name(p)});
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

/// "61 of 128 latents interpretable (48 %)", of the labels below a group.
std::string interpretable(const store::Reader& file, const std::string& group) {
  const auto status = file.read<std::int8_t>(group + "/latents/status");
  const auto good = std::ranges::count(status, static_cast<std::int8_t>(interpret::Status::interpretable));
  return fmt::format("{} of {} latents interpretable ({:.0f} %)", good, status.size(),
                     100 * static_cast<double>(good) / static_cast<double>(status.size()));
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
                          curve.point_name(home), headline(curve, home));
      if (curve.points() <= 16) text += "\n" + along(curve) + "\n";
    }
  }
  text +=
      "\ncontrast: share of the subject's probes that fire its latents, less the mean over the other "
      "subjects.\n"
      "null: the same with permuted subjects. last word, all words: contrast of a classifier that sees only "
      "the text.\n"
      "A subject that was never read and rises all the same shows detection, not knowledge.";
  return text;
}

}  // namespace incipit::command
