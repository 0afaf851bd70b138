#include "emergence/conclusions.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "emergence/axes.hpp"
#include "emergence/conclusion_columns.hpp"
#include "emergence/false_discovery.hpp"
#include "emergence/onset.hpp"
#include "index.hpp"

namespace incipit::emergence {
namespace {

/// What the points of a curve are spaced by (science §9).
struct Axis {
  const char* name;
  double (*value)(const Point&);  ///< of a point, in the axis' own units
  double (*place)(double);        ///< where a value lies
  double (*at_place)(double);     ///< the value there
};

double step_of(const Point& point) {
  return static_cast<double>(point.step);
}
double params_of(const Point& point) {
  return static_cast<double>(point.params);
}
double layer_of(const Point& point) {
  return static_cast<double>(point.layer);
}
double log2_above(double step) {
  return std::log2(1 + step);
}
double exp2_above(double place) {
  return std::exp2(place) - 1;
}
double log2_of(double params) {
  return std::log2(params);
}
double exp2_of(double place) {
  return std::exp2(place);
}
double itself(double value) {
  return value;
}

std::optional<Axis> axis_of(std::string_view curve) {
  constexpr std::string_view own = "own_";
  if (curve.starts_with(own)) curve.remove_prefix(own.size());
  if (curve == "time") return Axis{"step", step_of, log2_above, exp2_above};
  if (curve == "scale") return Axis{"parameter", params_of, log2_of, exp2_of};
  if (curve == "space") return Axis{"layer", layer_of, itself, itself};
  return std::nullopt;
}

/// A subject's contrast at the points where it has a value, with its draws.
struct Line {
  std::vector<std::int64_t> point;
  std::vector<double> x, y;
  std::vector<double> draws;  ///< [B, points]
  std::vector<double> nulls;  ///< [P, points]
};

/// [points][draws] becomes [draws, points].
std::vector<double> by_draw(const std::vector<std::span<const double>>& columns) {
  std::vector<double> rows;
  if (columns.empty()) return rows;
  for (std::size_t b = 0; b < columns.front().size(); ++b)
    for (const auto& column : columns) rows.push_back(column[b]);
  return rows;
}

Line line_of(const Curve& curve, const Axis& axis, std::int32_t subject) {
  Line line;
  std::vector<std::span<const double>> draws, nulls;
  for (std::int64_t p = 0; p < std::ssize(curve.points()); ++p) {
    const double value = curve.estimate(Measure::contrast, reading_rung(curve.name()), p, subject).value;
    if (std::isnan(value)) continue;
    line.point.push_back(p);
    line.x.push_back(axis.place(axis.value(curve.points()[at(p)])));
    line.y.push_back(value);
    draws.push_back(curve.contrast_draws(p, subject));
    nulls.push_back(curve.contrast_null(p, subject));
  }
  line.draws = by_draw(draws);
  line.nulls = by_draw(nulls);
  return line;
}

std::vector<Line> lines_of(const Curve& curve, const Axis& axis) {
  std::vector<Line> lines;
  for (std::int32_t c = 0; c < curve.subjects(); ++c) lines.push_back(line_of(curve, axis, c));
  return lines;
}

/// Calls f(row) with each row of [rows, points].
template <class F>
void each_row(const std::vector<double>& rows, std::size_t points, const F& f) {
  for (std::size_t begin = 0; points > 0 && begin < rows.size(); begin += points)
    f(std::span(rows).subspan(begin, points));
}

double final_level(std::span<const double> y) {
  const auto last = y.last(std::min<std::size_t>(3, y.size()));
  return std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size());
}

std::vector<double> final_levels(const std::vector<double>& rows, std::size_t points) {
  std::vector<double> levels;
  each_row(rows, points, [&](std::span<const double> row) { levels.push_back(final_level(row)); });
  return levels;
}

/// Final levels, and who is present.
std::vector<Conclusion> judge_levels(const std::vector<Line>& lines) {
  std::vector<Conclusion> subjects(lines.size());
  std::vector<double> p;
  for (std::size_t c = 0; c < lines.size(); ++c) {
    const Line& line = lines[c];
    if (!line.y.empty())
      subjects[c].level = estimate(final_level(line.y), final_levels(line.draws, line.y.size()),
                                   final_levels(line.nulls, line.y.size()));
    p.push_back(subjects[c].level.p);
  }
  const auto q = false_discovery_rates(p);
  for (std::size_t c = 0; c < lines.size(); ++c) {
    subjects[c].q = q[c];
    subjects[c].present = subjects[c].level.low > 0 && q[c] <= called_at;
  }
  return subjects;
}

/// The axis' own units for the 95 % interval of some places.
struct Band {
  double low, high;
};
Band band_of(const Axis& axis, const std::vector<double>& places) {
  return {axis.at_place(quantile(places, 0.025)), axis.at_place(quantile(places, 0.975))};
}

/// Where a subject rises, on the axis' own scale.
struct Rise {
  double place = nan;
  std::vector<double> draws;  ///< [B]; NaN where a resample has no onset
};

std::vector<double> middles_of(const Line& line) {
  std::vector<double> middles;
  each_row(line.draws, line.y.size(), [&](std::span<const double> row) {
    middles.push_back(fit_logistic(line.x, row, find_onset(line.x, row)).middle);
  });
  return middles;
}

/// Fills in what is said of the onset.
Rise find_rise(const Curve& curve, const Axis& axis, const Line& line, std::int32_t subject,
               Conclusion& out) {
  const Onset onset = find_onset(line.x, line.y);
  Rise rise{onset.place, {}};
  if (onset.point < 0) return rise;
  const auto value_of = [&](std::int64_t i) { return axis.value(curve.points()[at(line.point[at(i)])]); };
  out.onset = axis.at_place(onset.place);
  out.onset_high = value_of(onset.point);
  if (onset.point > 0) {
    out.onset_low = value_of(onset.point - 1);
    const std::vector<std::int64_t> there(
        line.point.end() - std::min<std::ptrdiff_t>(3, std::ssize(line.point)), line.point.end());
    out.before = judge_absence(curve, subject, line.point[at(onset.point - 1)], there);
  }
  const Logistic fit = fit_logistic(line.x, line.y, onset);
  each_row(line.draws, line.y.size(),
           [&](std::span<const double> row) { rise.draws.push_back(find_onset(line.x, row).place); });
  const Band interval = band_of(axis, rise.draws);
  out.onset_early = interval.low;
  out.onset_late = interval.high;
  if (std::isnan(fit.middle)) return rise;
  const auto& found = curve.middles(subject);
  const Band middle = band_of(axis, found.empty() ? middles_of(line) : found);
  out.middle = axis.at_place(fit.middle);
  out.middle_low = middle.low;
  out.middle_high = middle.high;
  out.width = fit.width;
  return rise;
}

/// 1 for the lowest; equal ones share the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double v : values) {
    double below = 0, equal = 0;
    for (const double w : values) {
      below += w < v ? 1 : 0;
      equal += w == v ? 1 : 0;
    }
    ranks.push_back(below + (equal + 1) / 2);
  }
  return ranks;
}

/// Σ of the squared deviations from the mean.
double scatter(const std::vector<double>& values) {
  const double centre = mean(values);
  double sum = 0;
  for (const double v : values) sum += (v - centre) * (v - centre);
  return sum;
}

/// In which order subjects rise: of those present, from the places of their onsets in each resample.
class Order {
 public:
  /// `value`: the onsets' places; `draws`: [present][B], NaN where a resample has no onset.
  Order(std::vector<double> value, const std::vector<std::vector<double>>& draws) : value_(std::move(value)) {
    for (std::size_t b = 0; !draws.empty() && b < draws.front().size(); ++b) {
      std::vector<double> row;
      for (const auto& of_subject : draws) row.push_back(of_subject[b]);
      if (std::none_of(row.begin(), row.end(), [](double v) { return std::isnan(v); })) rows_.push_back(row);
    }
    for (const auto& row : rows_) ranks_.push_back(ranks_of(row));
  }

  [[nodiscard]] double earlier(std::size_t a, std::size_t b) const {
    double count = 0;
    for (const auto& row : rows_) count += row[a] < row[b] ? 1 : row[a] == row[b] ? 0.5 : 0;
    return rows_.empty() ? nan : count / static_cast<double>(rows_.size());
  }

  [[nodiscard]] Estimate rank(std::size_t a) const {
    std::vector<double> drawn;
    drawn.reserve(ranks_.size());
    for (const auto& row : ranks_) drawn.push_back(row[a]);
    return estimate(ranks_of(value_)[a], drawn, {});
  }

  /// How often deviations from the onsets spread as far as the onsets themselves.
  [[nodiscard]] double p_of_one_place() const {
    if (value_.size() < 2 || rows_.empty()) return nan;
    const double found = scatter(value_);
    std::int64_t reached = 0;
    for (const auto& row : rows_) {
      std::vector<double> deviation;
      for (std::size_t i = 0; i < row.size(); ++i) deviation.push_back(row[i] - value_[i]);
      reached += scatter(deviation) >= found ? 1 : 0;
    }
    return static_cast<double>(1 + reached) / static_cast<double>(1 + rows_.size());
  }

 private:
  std::vector<double> value_;
  std::vector<std::vector<double>> rows_, ranks_;  ///< [B][present]
};

void put_in_order(const std::vector<Rise>& rises, Conclusions& out) {
  const std::size_t count = out.subject.size();
  out.earlier.assign(count * count, nan);
  std::vector<std::size_t> rising;
  std::vector<double> value;
  std::vector<std::vector<double>> draws;
  for (std::size_t c = 0; c < count; ++c) {
    if (std::isnan(rises[c].place)) continue;
    rising.push_back(c);
    value.push_back(rises[c].place);
    draws.push_back(rises[c].draws);
  }
  const Order order(value, draws);
  out.order_p = order.p_of_one_place();
  for (std::size_t a = 0; a < rising.size(); ++a) {
    const Estimate rank = order.rank(a);
    Conclusion& subject = out.subject[rising[a]];
    subject.rank = rank.value;
    subject.rank_low = rank.low;
    subject.rank_high = rank.high;
    for (std::size_t b = 0; b < rising.size(); ++b)
      if (a != b) out.earlier[rising[a] * count + rising[b]] = order.earlier(a, b);
  }
}

/// The point at which the anchor lies is no shoulder where it comes first.
FallRule rule_along(const Line& line, std::int64_t home) {
  return !line.point.empty() && line.point.front() == home ? FallRule::return_alone
                                                           : FallRule::between_shoulders;
}

void call_dips(const Curve& curve, const std::vector<Line>& lines, std::int64_t home, Conclusions& out) {
  std::vector<double> p;
  for (std::size_t c = 0; c < lines.size(); ++c) {
    out.subject[c].deepest = test_dip(lines[c].y, lines[c].draws, rule_along(lines[c], home));
    p.push_back(out.subject[c].deepest.p);
  }
  const auto q = false_discovery_rates(p);
  for (std::size_t c = 0; c < lines.size(); ++c) {
    out.subject[c].dip_q = q[c];
    if (!(q[c] <= called_at && out.subject[c].deepest.depth >= least_fall)) continue;
    const Line& line = lines[c];
    const FallRule rule = rule_along(line, home);
    for (const Dip& dip : find_dips(line.y, line.draws, rule, called_at)) {
      if (dip.depth < least_fall) continue;
      std::vector<std::int64_t> there{line.point[at(dip.to)]};
      if (rule == FallRule::between_shoulders || dip.from > 0) there.push_back(line.point[at(dip.from)]);
      const Dip placed{line.point[at(dip.from)], line.point[at(dip.at)], line.point[at(dip.to)], dip.depth,
                       dip.p};
      const auto subject = static_cast<std::int32_t>(c);
      out.dips.push_back({subject, placed, judge_absence(curve, subject, placed.at, there)});
    }
  }
}

}  // namespace

namespace {

template <class T, class Item, class Of>
std::vector<T> each(const std::vector<Item>& items, const Of& of) {
  std::vector<T> out;
  for (const Item& item : items) out.push_back(of(item));
  return out;
}

/// What verdicts are made from, below a group, along one dimension.
void write_evidence(store::Writer& writer, const std::string& group, const std::string& dim,
                    const std::vector<Judged>& judged) {
  const auto count = std::ssize(judged);
  std::vector<double> contrast;
  for (const Judged& one : judged)
    contrast.insert(contrast.end(), one.evidence.contrast.begin(), one.evidence.contrast.end());
  writer.write(group + "/contrast", {count, rungs}, contrast, {"1", "contrast where the subject is missing"},
               {dim, "rung"});
  for (const EvidenceColumn& column : evidence_columns)
    writer.write(group + "/" + column.name, {count},
                 each<double>(judged, [&](const Judged& one) { return one.evidence.*column.value; }),
                 {"1", column.meaning}, {dim});
}

/// Names of the components, the strongest first.
std::string names_of(const std::vector<std::int64_t>& components) {
  std::string names;
  for (const std::int64_t component : components)
    names += (names.empty() ? "" : ", ") + component_name(component);
  return names;
}

void write_dips(store::Writer& writer, const std::string& group, const std::vector<CalledDip>& dips,
                const Attribution* attribution) {
  const auto count = std::ssize(dips);
  const auto whole = [&](const char* name, const char* meaning, auto of) {
    writer.write(group + "/" + name, {count}, each<std::int64_t>(dips, of), {"1", meaning}, {"dip"});
  };
  const auto real = [&](const char* name, const char* meaning, auto of) {
    writer.write(group + "/" + name, {count}, each<double>(dips, of), {"1", meaning}, {"dip"});
  };
  whole("subject_number", "subject that falls and returns", [](const CalledDip& d) { return d.subject; });
  whole("from", "point of the shoulder before; the anchor's own, where the return alone counts",
        [](const CalledDip& d) { return d.dip.from; });
  whole("at", "point of the bottom", [](const CalledDip& d) { return d.dip.at; });
  whole("to", "point of the shoulder behind", [](const CalledDip& d) { return d.dip.to; });
  real("depth", "contrast of the lower shoulder less that of the bottom",
       [](const CalledDip& d) { return d.dip.depth; });
  real("p", "p of the depth against the best curve without falls",
       [](const CalledDip& d) { return d.dip.p; });
  writer.strings(
      group + "/verdict", {count},
      each<std::string>(dips,
                        [](const CalledDip& d) {
                          return std::string(verdict_names[static_cast<std::size_t>(d.judged.verdict)]);
                        }),
      {"1", "why it is not read at the bottom"}, {"dip"});
  const auto between = [&](const CalledDip& d, std::int64_t from, std::int64_t to, bool against) {
    return attribution == nullptr ? std::string()
                                  : names_of(writers_between(*attribution, from, to, d.subject, against));
  };
  writer.strings(
      group + "/erased_by", {count},
      each<std::string>(dips, [&](const CalledDip& d) { return between(d, d.dip.from, d.dip.at, true); }),
      {"1", erased_by_meaning}, {"dip"});
  writer.strings(
      group + "/written_by", {count},
      each<std::string>(dips, [&](const CalledDip& d) { return between(d, d.dip.at, d.dip.to, false); }),
      {"1", written_by_meaning}, {"dip"});
  write_evidence(writer, group, "dip", each<Judged>(dips, [](const CalledDip& d) { return d.judged; }));
}

/// The verdict on each subject's deepest fall, where that is called.
std::vector<std::string> deepest_verdicts(const Conclusions& found) {
  std::vector<std::string> verdicts(found.subject.size());
  std::vector<double> depth(found.subject.size(), nan);
  for (const CalledDip& dip : found.dips) {
    const auto c = at(dip.subject);
    if (dip.dip.depth <= depth[c]) continue;
    depth[c] = dip.dip.depth;
    verdicts[c] = verdict_names[static_cast<std::size_t>(dip.judged.verdict)];
  }
  return verdicts;
}

}  // namespace

int find_middles(Curve& curve, int part, int parts) {
  const Axis axis = axis_of(curve.name()).value();
  const auto lines = lines_of(curve, axis);
  const auto subjects = judge_levels(lines);
  int rising = 0;
  for (std::size_t c = 0; c < lines.size(); ++c) {
    if (!subjects[c].present) continue;
    const Line& line = lines[c];
    if (std::isnan(fit_logistic(line.x, line.y, find_onset(line.x, line.y)).middle)) continue;
    if (rising++ % parts == part) curve.set_middles(static_cast<std::int32_t>(c), middles_of(line));
  }
  return rising;
}

Conclusions conclude(const Curve& curve, std::int64_t home) {
  const Axis axis = axis_of(curve.name()).value();
  const auto lines = lines_of(curve, axis);
  Conclusions out;
  out.subject = judge_levels(lines);
  std::vector<Rise> rises(lines.size());
  for (std::size_t c = 0; c < lines.size(); ++c)
    if (out.subject[c].present)
      rises[c] = find_rise(curve, axis, lines[c], static_cast<std::int32_t>(c), out.subject[c]);
  put_in_order(rises, out);
  call_dips(curve, lines, home, out);
  return out;
}

void write_conclusions(store::Writer& writer, const std::string& group, const Curve& curve,
                       const Conclusions& found, const std::vector<std::string>& subjects,
                       const Attribution* attribution) {
  const auto count = std::ssize(subjects);
  const std::vector<std::string> dims{"subject"};
  write_subject_axis(writer, group, subjects);
  writer.attribute(group, "axis", axis_of(curve.name()).value().name);
  for (const ConclusionColumn& column : conclusion_columns)
    writer.write(group + "/" + column.name, {count}, each<double>(found.subject, column.value),
                 {"1", column.meaning}, dims);
  writer.write(group + "/present", {count},
               each<std::int8_t>(found.subject, [](const Conclusion& c) { return c.present ? 1 : 0; }),
               {"1", present_meaning}, dims);
  const bool scale = curve.name().ends_with("scale");
  for (const ThresholdColumn& column : threshold_columns)
    writer.write(
        group + "/" + column.name, {count},
        each<double>(found.subject, [&](const Conclusion& c) { return scale ? c.*column.value : nan; }),
        {"1", column.meaning}, dims);
  writer.write(group + "/earlier", {count, count}, found.earlier, {"1", earlier_meaning},
               {"subject", "later"});
  writer.scalar(group + "/order_p", found.order_p, {"1", order_meaning});
  writer.strings(group + "/dip_rung", {count}, deepest_verdicts(found), {"1", dip_rung_meaning}, dims);
  writer.strings(
      group + "/onset_rung", {count},
      each<std::string>(found.subject,
                        [](const Conclusion& c) {
                          return std::string(verdict_names[static_cast<std::size_t>(c.before.verdict)]);
                        }),
      {"1", onset_rung_meaning}, dims);
  write_evidence(writer, group + "/before", "subject",
                 each<Judged>(found.subject, [](const Conclusion& c) { return c.before; }));
  write_dips(writer, group + "/dips", found.dips, attribution);
}

}  // namespace incipit::emergence
