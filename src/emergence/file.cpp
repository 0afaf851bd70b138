#include "emergence/file.hpp"

#include <algorithm>

#include "emergence/axes.hpp"
#include "emergence/conclusions.hpp"
#include "emergence/estimate_parts.hpp"
#include "match/file.hpp"

namespace incipit::emergence {
namespace {

void write_subjects(store::Writer& writer, const match::Subjects& subjects) {
  std::vector<std::string> name, phrases;
  std::vector<int8_t> read;
  size_t longest = 0;
  for (const auto& subject : subjects.all) longest = std::max(longest, subject.phrases.size());
  for (const auto& subject : subjects.all) {
    name.push_back(subject.name);
    read.push_back(subject.read ? 1 : 0);
    for (size_t p = 0; p < longest; ++p)
      phrases.push_back(p < subject.phrases.size() ? subject.phrases[p] : "");
  }
  const auto count = static_cast<int64_t>(name.size());
  write_subject_axis(writer, "", name);
  writer.strings("phrases", {count, static_cast<int64_t>(longest)}, phrases,
                 {"1", "phrases a label is compared with; empty ones fill up"}, {"subject", "phrase"});
  writer.write("read", {count}, read, {"1", "1 for subjects that the family was trained on"}, {"subject"});
}

void write_probes(store::Writer& writer, const Emergence& result) {
  const auto& probes = result.probes;
  std::vector<std::string> id, group;
  std::vector<int8_t> part;
  for (size_t i = 0; i < probes.all.size(); ++i) {
    id.push_back(probes.all[i].id);
    group.push_back(probes.all[i].group);
    part.push_back(probes.split ? static_cast<int8_t>(probes.part[i]) : int8_t{-1});
  }
  const std::vector<int64_t> shape = {static_cast<int64_t>(id.size())};
  writer.strings("probes/id", shape, id, {"1", "name of the probe"}, {"probe"});
  writer.write("probes/subject", shape, probes.subject, {"1", "number of the probe's subject"}, {"probe"});
  writer.strings("probes/group", shape, group, {"1", "group; its probes are never split"}, {"probe"});
  writer.write("probes/part", shape, part, {"1", "0 fit, 1 verify, 2 judge; -1 all three (split none)"},
               {"probe"});
  writer.write("probes/tokens", shape, result.tokens, {"token", "length"}, {"probe"});
  writer.strings("probes/last_token", shape, result.last_token,
                 {"1", "last token, where the residual is taken"}, {"probe"});
}

void write_audit(store::Writer& writer, const std::vector<AuditEntry>& audit) {
  if (audit.empty()) return;
  std::vector<std::string> model, status, reason;
  std::vector<int64_t> step;
  for (const auto& entry : audit) {
    model.push_back(entry.model);
    step.push_back(entry.step);
    status.push_back(entry.status);
    reason.push_back(entry.reason);
  }
  const std::vector<int64_t> shape = {static_cast<int64_t>(audit.size())};
  writer.strings("audit/model", shape, model, {"1", "model"}, {"checkpoint"});
  writer.write("audit/step", shape, step, {"step", "training step"}, {"checkpoint"});
  writer.strings("audit/status", shape, status, {"1", "ok, or what is wrong"}, {"checkpoint"});
  writer.strings("audit/reason", shape, reason, {"1", "evidence"}, {"checkpoint"});
}

/// One measure of the token baseline: [baseline, subject] for each part of its estimates.
void write_baseline_measure(store::Writer& writer, const std::string& group, const char* name,
                            const char* meaning, const std::array<Estimates, 2>& found) {
  const auto subjects = static_cast<int64_t>(found[0].subject.size());
  for (const EstimatePart& part : estimate_parts) {
    std::vector<double> values;
    for (const Estimates& estimates : found)
      for (const Estimate& estimate : estimates.subject) values.push_back(estimate.*part.value);
    writer.write(group + "/" + name + part.suffix, {static_cast<int64_t>(found.size()), subjects}, values,
                 {"1", std::string(meaning) + part.meaning}, {"baseline", "subject"});
  }
}

void write_baseline(store::Writer& writer, const std::string& group, const TokenBaseline& baseline,
                    const std::vector<std::string>& subjects) {
  const std::vector<std::string> names(baseline_names.begin(), baseline_names.end());
  const auto count = static_cast<int64_t>(names.size());
  writer.strings(group + "/baseline", {count}, names, {"1", "what the classifier sees of the text"},
                 {"baseline"});
  write_subject_axis(writer, group, subjects);
  write_baseline_measure(
      writer, group, "contrast",
      "share of the subject's probes that are given to it, less the mean over the other subjects",
      baseline.contrast);
  write_baseline_measure(writer, group, "auc", "area under the ROC curve of the subject's log odds",
                         baseline.auc);
  writer.write(group + "/accuracy", {count},
               std::vector<double>(baseline.accuracy.begin(), baseline.accuracy.end()),
               {"1", "share of probes given to their subject, mean over subjects"}, {"baseline"});
}

/// The point at which the anchor lies; −1 if none does.
int64_t home_of(const AnchorResult& anchor, const Curve& curve) {
  const auto& points = curve.points();
  const auto home = std::find_if(points.begin(), points.end(), [&](const Point& point) {
    return point.model == anchor.model && point.step == anchor.step && point.layer == anchor.layer;
  });
  return home == points.end() ? -1 : home - points.begin();
}

void write_curve(store::Writer& writer, const std::string& group, const AnchorResult& anchor,
                 const Curve& curve, const std::vector<std::string>& subjects) {
  const std::string path = group + "/curves/" + curve.name();
  curve.write(writer, path, subjects);
  if (has_neighbours(curve.name())) curve.write_drift(writer, path + "/drift");
  if (!curve.concludes()) return;
  const bool attributed = curve.name() == "space" && anchor.attribution;
  write_conclusions(writer, path + "/conclusions", curve, conclude(curve, home_of(anchor, curve)), subjects,
                    attributed ? &*anchor.attribution : nullptr);
}

void write_control_curve(store::Writer& writer, const std::string& anchor, const ControlCurve& control,
                         const std::vector<std::string>& subjects) {
  const std::string group = anchor + "/" + control.place + "/" + control.curve.name();
  control.curve.write(writer, group, subjects);
  // A dictionary made anew at each site reads a line of its own; it is at home everywhere.
  if (control.curve.concludes())
    write_conclusions(writer, group + "/conclusions", control.curve, conclude(control.curve, -1), subjects);
  writer.write(group + "/matched", {std::ssize(control.curve.points()), std::ssize(subjects)},
               control.matched, {"1", "number of matched latents"}, {"point", "subject"});
}

void write_random_latents(store::Writer& writer, const std::string& group, const AnchorResult& anchor,
                          const std::vector<std::string>& subjects) {
  if (anchor.random_latents.empty()) return;
  const auto count = std::ssize(subjects);
  write_subject_axis(writer, group, subjects);
  writer.write(group + "/fire_rate_matched", {count}, anchor.matched_fire_rate,
               {"1", "firing rates of the matched latents on the fit part, added up"}, {"subject"});
  writer.write(group + "/fire_rate", {count}, anchor.random_latents.front().fire_rate(),
               {"1", "the same of the random latents, mean over draws"}, {"subject"});
  for (const RandomLatents& along : anchor.random_latents)
    along.write(writer, group + "/bands/" + along.curve(), subjects);
}

/// The spread of each curve over the SAEs: the anchor's own, then those of further seeds.
void write_seed_spreads(store::Writer& writer, const std::string& group, const AnchorResult& anchor,
                        const std::vector<std::string>& subjects) {
  if (anchor.seeds.empty()) return;
  for (const Curve& curve : anchor.curves) {
    std::vector<SeedView> seeds{{anchor.seed, &curve, {}}};
    for (int64_t c = 0; c < std::ssize(subjects); ++c)
      seeds.front().matched.push_back(std::ssize(anchor.matches.of(c)));
    for (const SeedCurve& further : anchor.seeds)
      if (further.curve.name() == curve.name())
        seeds.push_back({further.seed, &further.curve, further.matched});
    write_seeds(writer, group + "/spread/" + curve.name(), seeds, subjects);
  }
}

void write_controls(store::Writer& writer, const std::string& group, const AnchorResult& anchor,
                    const corpus::Probes& probes) {
  const std::string controls = group + "/controls";
  for (const ControlDictionary& of : anchor.dictionaries) {
    interpret::write_label_group(writer, controls + "/" + of.control, of.labels, probes);
    match::write_match_group(writer, controls + "/" + of.control, of.matches);
  }
  for (const ControlCurve& control : anchor.control_curves)
    write_control_curve(writer, group, control, probes.subjects);
  write_random_latents(writer, controls + "/random_latents", anchor, probes.subjects);
  write_seed_spreads(writer, controls + "/seeds", anchor, probes.subjects);
}

void write_anchor(store::Writer& writer, const AnchorResult& anchor, const corpus::Probes& probes) {
  const std::string group = "anchors/" + anchor.name;
  writer.attribute(group, "model", anchor.model);
  writer.attribute(group, "step", anchor.step);
  writer.attribute(group, "layer", anchor.layer);
  interpret::write_label_group(writer, group, anchor.labels, probes);
  match::write_match_group(writer, group, anchor.matches);
  for (const Curve& curve : anchor.curves) write_curve(writer, group, anchor, curve, probes.subjects);
  if (anchor.attribution) write_attribution(writer, group + "/curves/space/attribution", *anchor.attribution);
  if (anchor.token_baseline)
    write_baseline(writer, group + "/controls/token_baseline", *anchor.token_baseline, probes.subjects);
  write_controls(writer, group, anchor, probes);
  for (const Curve& curve : anchor.curves)
    curve.write_tau(writer, group + "/tau/" + curve.name(), probes.subjects);
}

}  // namespace

void write_emergence(store::Writer& writer, const Emergence& result) {
  write_subjects(writer, result.subjects);
  write_probes(writer, result);
  write_audit(writer, result.audit);
  for (const AnchorResult& anchor : result.anchors) write_anchor(writer, anchor, result.probes);
}

}  // namespace incipit::emergence
