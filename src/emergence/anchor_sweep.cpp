#include "emergence/anchor_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "emergence/axes.hpp"
#include "emergence/conclusion_columns.hpp"
#include "emergence/joined_rows.hpp"
#include "error.hpp"
#include "index.hpp"

namespace incipit::emergence {
namespace {

template <class T>
std::vector<T> number_of_each(const AnchorSweep& sweep, T PlacedDictionary::*number) {
  return of_each<T>(sweep.of,
                    [number](const PlacedDictionary& d, std::vector<T>& out) { out.push_back(d.*number); });
}

void write_axes(store::Writer& writer, const AnchorSweep& sweep) {
  const auto points = std::ssize(sweep.points);
  std::vector<std::int64_t> step, layer, params;
  std::vector<std::string> model;
  for (const Point& point : sweep.points) {
    model.push_back(point.model);
    params.push_back(point.params);
    step.push_back(point.step);
    layer.push_back(point.layer);
  }
  write_point_axis(writer, "", points);
  writer.strings("model", {points}, model, {"1", "model"}, {"point"});
  writer.write("params", {points}, params, {"1", "parameters of the model"}, {"point"});
  writer.write("step", {points}, step, {"step", "training step"}, {"point"});
  writer.write("layer", {points}, layer, {"1", "layer; 0 is the embedding output"}, {"point"});
  write_subject_axis(writer, "", sweep.subjects);
  writer.write("dictionary", {std::ssize(sweep.of)}, number_of_each(sweep, &PlacedDictionary::home),
               {"1", "the point at which the dictionary was made"}, {"dictionary"});
}

void write_agreement(store::Writer& writer, const AnchorSweep& sweep) {
  const auto count = std::ssize(sweep.subjects);
  std::vector<Agreement> all;
  for (std::size_t c = 0; c < sweep.subjects.size(); ++c) all.push_back(agreement(sweep, c));
  const auto column = [&](const char* name, const char* meaning, const auto& of, auto none) {
    std::vector<decltype(none)> values;
    for (const Agreement& one : all) values.push_back(of(one));
    writer.write(name, {count}, values, {"1", meaning}, {"subject"});
  };
  column(
      "dictionaries_matched", matched_by_meaning, [](const Agreement& a) { return a.matched; },
      std::int64_t{});
  column(
      "dictionaries_present", present_by_meaning, [](const Agreement& a) { return a.present; },
      std::int64_t{});
  for (const AgreementColumn& one : agreement_columns) column(one.name, one.meaning, one.value, double{});
}

}  // namespace

double AnchorSweep::concluded(std::size_t dictionary, std::string_view column, std::size_t subject) const {
  const auto* const found = std::ranges::find(conclusion_columns, column, &ConclusionColumn::name);
  if (found == conclusion_columns.end())
    throw Error(Exit::defect, fmt::format("conclusions have no column {}", column));
  const auto place = static_cast<std::size_t>(found - conclusion_columns.begin());
  return of[dictionary].concluded[place * subjects.size() + subject];
}

bool AnchorSweep::present(std::size_t dictionary, std::size_t subject) const {
  return of[dictionary].concluded[conclusion_columns.size() * subjects.size() + subject] != 0;
}

Agreement agreement(const AnchorSweep& sweep, std::size_t subject) {
  Agreement found;
  std::vector<double> onsets;
  for (std::size_t d = 0; d < sweep.of.size(); ++d) {
    found.matched += sweep.of[d].matched[subject] > 0 ? 1 : 0;
    if (!sweep.present(d, subject)) continue;
    ++found.present;
    onsets.push_back(sweep.concluded(d, "onset_high", subject));
  }
  found.first = quantile(onsets, 0);
  found.middle = quantile(onsets, 0.5);
  found.last = quantile(onsets, 1);
  return found;
}

std::vector<double> packed(const Conclusions& found) {
  std::vector<double> values;
  for (const ConclusionColumn& column : conclusion_columns)
    for (const Conclusion& subject : found.subject) values.push_back(column.value(subject));
  for (const Conclusion& subject : found.subject) values.push_back(subject.present ? 1 : 0);
  return values;
}

void read_along(const Curve& curve, PlacedDictionary& to) {
  const Rung rung = reading_rung(curve.name());
  for (std::int64_t p = 0; p < std::ssize(curve.points()); ++p)
    for (std::int32_t c = 0; c < curve.subjects(); ++c) {
      const Estimate contrast = curve.estimate(Measure::contrast, rung, p, c);
      to.probe_activation.push_back(curve.estimate(Measure::probe_activation, rung, p, c).value);
      to.contrast.push_back(contrast.value);
      to.contrast_low.push_back(contrast.low);
      to.contrast_high.push_back(contrast.high);
      to.status.push_back(static_cast<std::int8_t>(curve.status(rung, p, c)));
    }
}

void write_anchor_sweep(store::Writer& writer, const AnchorSweep& sweep) {
  writer.attribute("", "curve", sweep.curve);
  writer.attribute("", "rung", std::string(rung_names[static_cast<std::size_t>(reading_rung(sweep.curve))]));
  write_axes(writer, sweep);
  const auto dictionaries = std::ssize(sweep.of), points = std::ssize(sweep.points),
             subjects = std::ssize(sweep.subjects);
  writer.write("interpretable", {dictionaries}, number_of_each(sweep, &PlacedDictionary::interpretable),
               {"1", "latents whose label holds"}, {"dictionary"});
  writer.write("matched", {dictionaries, subjects}, joined_rows(sweep.of, &PlacedDictionary::matched),
               {"1", "number of matched latents"}, {"dictionary", "subject"});
  for (const PlacedColumn& column : placed_columns)
    writer.write(column.name, {dictionaries, points, subjects}, joined_rows(sweep.of, column.values),
                 {"1", column.meaning}, {"dictionary", "point", "subject"});
  writer.write("status", {dictionaries, points, subjects}, joined_rows(sweep.of, &PlacedDictionary::status),
               {"1", status_meaning}, {"dictionary", "point", "subject"});
  for (std::size_t k = 0; k <= conclusion_columns.size(); ++k) {
    const auto values = of_each<double>(sweep.of, [&](const PlacedDictionary& d, std::vector<double>& out) {
      const auto begin = d.concluded.begin() + static_cast<std::ptrdiff_t>(k) * subjects;
      out.insert(out.end(), begin, begin + subjects);
    });
    const std::vector<std::int64_t> shape{dictionaries, subjects};
    const std::vector<std::string> dims{"dictionary", "subject"};
    if (k < conclusion_columns.size())
      writer.write(std::string("conclusions/") + conclusion_columns[k].name, shape, values,
                   {"1", conclusion_columns[k].meaning}, dims);
    else
      writer.write("conclusions/present", shape, std::vector<std::int8_t>(values.begin(), values.end()),
                   {"1", present_meaning}, dims);
  }
  write_agreement(writer, sweep);
}

}  // namespace incipit::emergence
