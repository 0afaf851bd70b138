#include "command/curve_view.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace incipit::command {

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.0f}", std::nearbyint(100 * share) + 0.0);
}

std::string two_digits(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.2f}", value);
}

std::string interval(double low, double high, double unit) {
  return std::isnan(low) || std::isnan(high) ? "-" : fmt::format("{:.0f} to {:.0f}", unit * low, unit * high);
}

std::string point_name(std::string_view curve, std::string_view model, std::int64_t step,
                       std::int64_t layer) {
  if (curve == "time") return fmt::format("{}", step);
  if (curve == "space") return fmt::format("layer {}", layer);
  if (curve == "scale") return std::string(model);
  return fmt::format("{} {} {}", model, step, layer);
}

CurveView::CurveView(const store::Reader& file, std::string anchor, std::string curve)
    : file_(file),
      anchor_(std::move(anchor)),
      curve_(std::move(curve)),
      subjects_(file.strings("subject")),
      models_(file.strings(path("model"))),
      steps_(file.read<std::int64_t>(path("step"))),
      layers_(file.read<std::int64_t>(path("layer"))) {
  for (std::size_t p = 0; p < models_.size(); ++p)
    names_.push_back(point_name(curve_, models_[p], steps_[p], layers_[p]));
}

std::string CurveView::path(const std::string& name) const {
  return fmt::format("anchors/{}/curves/{}/{}", anchor_, curve_, name);
}

std::string CurveView::anchor_path(const std::string& name) const {
  return fmt::format("anchors/{}/{}", anchor_, name);
}

std::vector<double> CurveView::all(const std::string& measure) const {
  return file_.read<double>(path(measure));
}

std::size_t CurveView::at(std::int64_t rung, std::int64_t point, std::size_t subject) const {
  return static_cast<std::size_t>(rung * points() + point) * subjects_.size() + subject;
}

std::string CurveView::rung_name() const {
  return file_.strings(path("rung"))[static_cast<std::size_t>(rung())];
}

std::int64_t CurveView::home() const {
  const auto model = file_.attribute_string(anchor_path(""), "model");
  const auto step = file_.attribute_integer(anchor_path(""), "step"),
             layer = file_.attribute_integer(anchor_path(""), "layer");
  for (std::size_t p = 0; p < models_.size(); ++p)
    if (models_[p] == model && steps_[p] == step && layers_[p] == layer) return static_cast<std::int64_t>(p);
  return points() - 1;
}

}  // namespace incipit::command
