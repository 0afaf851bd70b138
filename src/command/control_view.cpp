#include "command/control_view.hpp"

#include <algorithm>
#include <span>

#include "emergence/curve.hpp"
#include "emergence/estimate.hpp"
#include "nan.hpp"

namespace incipit::command {
namespace {

/// Reads what lies below an anchor's group, for one curve.
class ControlReader {
 public:
  explicit ControlReader(const CurveView& curve)
      : curve_(curve), file_(curve.file()), cells_(static_cast<std::size_t>(curve.points()) * subjects()) {}

  [[nodiscard]] std::size_t subjects() const { return curve_.subjects().size(); }
  [[nodiscard]] bool has(const std::string& group) const { return file_.has(curve_.anchor_path(group)); }

  /// [point, subject] of a rung of a dataset [rung, point, subject] below the anchor.
  [[nodiscard]] std::vector<double> rung(const std::string& name, std::int64_t which) const {
    const auto all = file_.read<double>(curve_.anchor_path(name));
    const auto begin = all.begin() + which * (std::ssize(all) / emergence::rungs);
    return {begin, begin + std::ssize(all) / emergence::rungs};
  }

  /// The floor has a point for each model and layer, whatever the step.
  [[nodiscard]] std::vector<double> floor(const std::string& group) const {
    const auto model = file_.strings(curve_.anchor_path(group + "/model"));
    const auto layer = file_.read<std::int64_t>(curve_.anchor_path(group + "/layer"));
    const auto own_model = file_.strings(curve_.path("model"));
    const auto own_layer = file_.read<std::int64_t>(curve_.path("layer"));
    const auto values = rung(group + "/contrast", static_cast<std::int64_t>(emergence::Rung::aligned));
    std::vector<double> out(cells_, nan);
    for (std::size_t p = 0; p < own_model.size(); ++p)
      for (std::size_t q = 0; q < model.size(); ++q)
        if (model[q] == own_model[p] && layer[q] == own_layer[p])
          std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(q * subjects()), subjects(),
                      out.begin() + static_cast<std::ptrdiff_t>(p * subjects()));
    return out;
  }

 private:
  const CurveView& curve_;
  const store::Reader& file_;
  std::size_t cells_;
};

}  // namespace

ControlView::ControlView(const CurveView& curve) {
  const ControlReader read(curve);
  const auto add = [&](const std::string& name, const std::string& group, const std::string& measure,
                       std::int64_t rung) {
    if (read.has(group)) lines.push_back({name, read.rung(group + "/" + measure, rung)});
  };
  const std::string& name = curve.name();
  const std::string bands = "controls/random_latents/bands/" + name;
  add("random latents", bands, "contrast_mean", curve.rung());
  if (read.has(bands)) random_high = read.rung(bands + "/contrast_high", curve.rung());
  if (const auto floor = "controls/random_weights/curves/" + name; read.has(floor))
    lines.push_back({"floor", read.floor(floor)});
  if (const std::string own = "controls/random_weights/curves/own"; read.has(own))
    untrained = read.rung(own + "/contrast", 0);
  add("ceiling", "controls/ceiling/curves/" + name, "contrast", 0);
  add("first step", "controls/first_step/curves/" + name, "contrast", curve.rung());
  add("own anchor", "curves/own_" + name, "contrast", 0);
  add("seeds, least", "controls/seeds/spread/" + name, "contrast_min", curve.rung());
  add("seeds, most", "controls/seeds/spread/" + name, "contrast_max", curve.rung());
}

const ControlView::Line* ControlView::find(const std::string& name) const {
  const auto found = std::ranges::find(lines, name, &Line::name);
  return found == lines.end() ? nullptr : &*found;
}

double mean_over_subjects(const std::vector<double>& values, std::int64_t point, std::size_t subjects) {
  return emergence::mean(std::span(values).subspan(static_cast<std::size_t>(point) * subjects, subjects));
}

}  // namespace incipit::command
