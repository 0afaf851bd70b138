#include "interpret/file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "error.hpp"
#include "index.hpp"

namespace incipit::interpret {
namespace {

/// The numbers of a latent that are one dataset each; reading and writing share the list.
struct RealField {
  const char* name;
  double LatentLabel::*value;
  const char* long_name;
};
constexpr RealField real_fields[] = {
    {"f1", &LatentLabel::f1, "F1 of the label on verify probes, half of them firing; NaN: not judged"},
    {"f1_low", &LatentLabel::f1_low, "one-sided lower 95 % bound of F1 (Wilson, groups as trials)"},
    {"precision", &LatentLabel::precision, "precision on the judged verify probes"},
    {"precision_at_rate", &LatentLabel::precision_at_rate, "precision at the true firing rate"},
    {"recall", &LatentLabel::recall, "recall on the judged verify probes"},
    {"balanced_accuracy", &LatentLabel::balanced_accuracy, "balanced accuracy on the judged verify probes"},
    {"f1_always_yes", &LatentLabel::f1_always_yes, "F1 of a teacher that always says yes, same probes"},
    {"f1_coin", &LatentLabel::f1_coin, "expected F1 of a teacher that tosses a coin, same probes"},
    {"fire_rate", &LatentLabel::fire_rate, "share of fit probes on which the latent fires"},
};
struct CountField {
  const char* name;
  int64_t LatentLabel::*value;
  const char* long_name;
};
constexpr CountField count_fields[] = {
    {"support", &LatentLabel::support, "verify probes on which the latent fires"},
    {"groups", &LatentLabel::groups, "groups among the verify probes on which the latent fires"},
    {"unparsed", &LatentLabel::unparsed, "answers that could not be read, counted as wrong"},
};

/// Columns of examples and judgements, one row per latent and probe.
struct Rows {
  std::vector<int64_t> latent, probe;
  std::vector<double> value;  // activation or score
  std::vector<int8_t> fires, near, answer;
  std::vector<std::string> text;
};

Rows example_rows(const Labels& labels, const corpus::Probes& probes) {
  Rows rows;
  for (const LatentLabel& label : labels.latents) {
    for (const Example& e : label.examples) {
      rows.latent.push_back(label.latent);
      rows.probe.push_back(e.probe);
      rows.value.push_back(e.activation);
      rows.text.push_back(probes.all[at(e.probe)].text);
    }
  }
  return rows;
}

Rows judgement_rows(const Labels& labels) {
  Rows rows;
  for (const LatentLabel& label : labels.latents) {
    for (const Judgement& j : label.judgements) {
      rows.latent.push_back(label.latent);
      rows.probe.push_back(j.probe);
      rows.value.push_back(j.verdict.score);
      rows.fires.push_back(j.fires ? 1 : 0);
      rows.near.push_back(j.near ? 1 : 0);
      rows.answer.push_back(static_cast<int8_t>(j.verdict.answer));
    }
  }
  return rows;
}

void write_latents(store::Writer& writer, const std::string& group, const Labels& labels) {
  const auto h = static_cast<int64_t>(labels.latents.size());
  const auto subjects = static_cast<int64_t>(labels.subjects.size());
  std::vector<int64_t> index;
  std::vector<std::string> names;
  std::vector<int8_t> status;
  std::vector<double> by_subject;
  for (const LatentLabel& label : labels.latents) {
    index.push_back(label.latent);
    names.push_back(label.label);
    status.push_back(static_cast<int8_t>(label.status));
    by_subject.insert(by_subject.end(), label.fire_rate_by_subject.begin(), label.fire_rate_by_subject.end());
  }
  writer.write(group + "latent", {h}, index, {"1", "latent of the SAE"}, {"latent"});
  writer.strings(group + "subject", {subjects}, labels.subjects, {"1", "subject"}, {"subject"});
  writer.strings(group + "label", {h}, names, {"1", "label of the latent; empty for a dead one"}, {"latent"});
  writer.write(group + "status", {h}, status,
               {"1", "0 interpretable, 1 uninterpretable, 2 unsupported, 3 dead"}, {"latent"});
  for (const RealField& field : real_fields) {
    std::vector<double> values;
    for (const LatentLabel& label : labels.latents) values.push_back(label.*field.value);
    writer.write(group + field.name, {h}, values, {"1", field.long_name}, {"latent"});
  }
  for (const CountField& field : count_fields) {
    std::vector<int64_t> values;
    for (const LatentLabel& label : labels.latents) values.push_back(label.*field.value);
    writer.write(group + field.name, {h}, values, {"1", field.long_name}, {"latent"});
  }
  writer.write(group + "fire_rate_by_subject", {h, subjects}, by_subject,
               {"1", "share of the subject's fit probes on which the latent fires"}, {"latent", "subject"});
}

void write_examples(store::Writer& writer, const std::string& group, const Rows& rows) {
  const auto n = static_cast<int64_t>(rows.latent.size());
  const std::vector<std::string> axes = {"example"};
  writer.write(group + "latent", {n}, rows.latent, {"1", "latent whose example this is"}, axes);
  writer.write(group + "probe", {n}, rows.probe, {"1", "fit probe shown, by its place in the deck's order"},
               axes);
  writer.write(group + "activation", {n}, rows.value,
               {"1", "activation in the SAE's input scale; 0 for a negative"}, axes);
  writer.strings(group + "text", {n}, rows.text, {"1", "text of the probe"}, axes);
}

void write_judgements(store::Writer& writer, const std::string& group, const Rows& rows) {
  const auto n = static_cast<int64_t>(rows.latent.size());
  const std::vector<std::string> axes = {"judgement"};
  writer.write(group + "latent", {n}, rows.latent, {"1", "latent whose label was judged"}, axes);
  writer.write(group + "probe", {n}, rows.probe,
               {"1", "verify probe judged, by its place in the deck's order"}, axes);
  writer.write(group + "fires", {n}, rows.fires, {"1", "1 if the latent fires on the probe"}, axes);
  writer.write(group + "near", {n}, rows.near, {"1", "1 if the latent is silent and a nearest latent fires"},
               axes);
  writer.write(group + "answer", {n}, rows.answer, {"1", "0 no, 1 yes, 2 unparsed"}, axes);
  writer.write(group + "score", {n}, rows.value, {"1", "the teacher's score; its scale is the teacher's own"},
               axes);
}

/// The texts behind rows that name probes, each once: latents share probes, and a text is as long as the
/// longest.
void write_texts(store::Writer& writer, const std::string& group, const std::set<int64_t>& which,
                 const char* what, const corpus::Probes& probes) {
  std::vector<std::string> texts;
  for (const int64_t probe : which) texts.push_back(probes.all[at(probe)].text);
  const auto n = static_cast<int64_t>(which.size());
  const std::vector<std::string> axes = {"probe"};
  writer.write(group + "probe", {n}, std::vector<int64_t>(which.begin(), which.end()), {"1", what}, axes);
  writer.strings(group + "text", {n}, texts, {"1", "text of the probe"}, axes);
}

void write_judged(store::Writer& writer, const std::string& group, const Labels& labels,
                  const corpus::Probes& probes) {
  std::set<int64_t> judged;
  for (const LatentLabel& label : labels.latents)
    for (const Judgement& j : label.judgements) judged.insert(j.probe);
  write_texts(writer, group, judged, "verify probe that some latent's label was judged on", probes);
}

void write_nearest(store::Writer& writer, const std::string& group, const Labels& labels,
                   const corpus::Probes& probes) {
  if (labels.nearest.empty()) return;
  std::vector<int64_t> latent, probe;
  std::vector<int8_t> side;
  std::vector<double> activation, margin;
  for (std::size_t j = 0; j < labels.nearest.size(); ++j) {
    for (const Nearest& n : labels.nearest[j]) {
      latent.push_back(labels.latents[j].latent);
      probe.push_back(n.probe);
      side.push_back(static_cast<int8_t>(n.side));
      activation.push_back(n.activation);
      margin.push_back(n.margin);
    }
  }
  const auto n = static_cast<int64_t>(latent.size());
  const std::vector<std::string> axes = {"near"};
  writer.write(group + "latent", {n}, latent, {"1", "latent that the probe is near"}, axes);
  writer.write(group + "probe", {n}, probe, {"1", "verify probe, by its place in the deck's order"}, axes);
  writer.write(group + "side", {n}, side,
               {"1", "0 fires most strongly, 1 fires by the least margin, 2 silent, but nearly fires"}, axes);
  writer.write(group + "activation", {n}, activation, {"1", "activation; 0 where silent"}, axes);
  writer.write(group + "margin", {n}, margin, {"1", "pre-activation less what it would take to fire"}, axes);
  write_texts(writer, group + "texts/", {probe.begin(), probe.end()}, "verify probe that some latent is near",
              probes);
}

template <class T>
T one_of(const store::Reader& file, const std::string& path, int64_t place) {
  T value{};
  file.read_slab<T>(path, {place}, {1}, {&value, 1});
  return value;
}

[[noreturn]] void disagree(const std::filesystem::path& path, const char* what) {
  throw Error(Exit::data, fmt::format("{}: latents/{} does not fit the other datasets; make the labels again "
                                      "(incipit interpret)",
                                      path.string(), what));
}

/// Hands row i of a group of rows to the latent it names.
template <class F>
void deal(const std::filesystem::path& path, const char* what, Labels& labels,
          const std::vector<int64_t>& latent, std::size_t length, F&& f) {
  if (length != latent.size()) disagree(path, what);
  for (std::size_t i = 0; i < latent.size(); ++i) {
    if (latent[i] < 0 || at(latent[i]) >= labels.latents.size()) disagree(path, what);
    f(labels.latents[at(latent[i])], i);
  }
}

void read_examples(const store::Reader& reader, Labels& labels) {
  const auto latent = reader.read<int64_t>("latents/examples/latent");
  const auto probe = reader.read<int64_t>("latents/examples/probe");
  const auto activation = reader.read<double>("latents/examples/activation");
  deal(reader.path(), "examples", labels, latent, std::min(probe.size(), activation.size()),
       [&](LatentLabel& label, std::size_t i) {
         label.examples.push_back({probe[i], activation[i]});
       });
}

void read_judgements(const store::Reader& reader, Labels& labels) {
  const auto latent = reader.read<int64_t>("latents/judgements/latent");
  const auto n = static_cast<int64_t>(latent.size());
  const auto probe = reader.read<int64_t>("latents/judgements/probe", {n});
  const auto fires = reader.read<int8_t>("latents/judgements/fires", {n});
  const auto near = reader.read<int8_t>("latents/judgements/near", {n});
  const auto answer = reader.read<int8_t>("latents/judgements/answer", {n});
  const auto score = reader.read<double>("latents/judgements/score", {n});
  deal(reader.path(), "judgements", labels, latent, latent.size(), [&](LatentLabel& label, std::size_t i) {
    label.judgements.push_back(
        {probe[i], fires[i] != 0, near[i] != 0, {static_cast<Answer>(answer[i]), score[i]}});
  });
}

void read_nearest(const store::Reader& reader, Labels& labels) {
  if (!reader.has("latents/nearest")) return;
  const auto latent = reader.read<int64_t>("latents/nearest/latent");
  const auto n = static_cast<int64_t>(latent.size());
  const auto probe = reader.read<int64_t>("latents/nearest/probe", {n});
  const auto side = reader.read<int8_t>("latents/nearest/side", {n});
  const auto activation = reader.read<double>("latents/nearest/activation", {n});
  const auto margin = reader.read<double>("latents/nearest/margin", {n});
  labels.nearest.resize(labels.latents.size());
  for (std::size_t i = 0; i < latent.size(); ++i) {
    const bool known = latent[i] >= 0 && at(latent[i]) < labels.nearest.size() && side[i] >= 0 &&
                       side[i] <= static_cast<int8_t>(Side::silent);
    if (!known) disagree(reader.path(), "nearest");
    labels.nearest[at(latent[i])].push_back({probe[i], static_cast<Side>(side[i]), activation[i], margin[i]});
  }
}

}  // namespace

void write_label_group(store::Writer& writer, const std::string& group, const Labels& labels,
                       const corpus::Probes& probes) {
  const std::string latents = (group.empty() ? "" : group + "/") + "latents/";
  write_latents(writer, latents, labels);
  const std::string own = latents.substr(0, latents.size() - 1);
  writer.attribute(own, "teacher", labels.teacher);
  writer.attribute(own, "model", labels.model);
  writer.attribute(own, "server", labels.server);
  write_examples(writer, latents + "examples/", example_rows(labels, probes));
  write_judgements(writer, latents + "judgements/", judgement_rows(labels));
  write_judged(writer, latents + "judged/", labels, probes);
  write_nearest(writer, latents + "nearest/", labels, probes);
}

void write_labels(const parallel::Communicator& comm, const std::filesystem::path& path,
                  const store::Header& header, const Labels& labels, const corpus::Probes& probes) {
  store::Header own = header;
  own.kind = "labels";
  store::Writer writer(comm, path, own);
  write_label_group(writer, "", labels, probes);
  writer.commit();
}

LatentLabel read_label(const store::Reader& file, const std::string& group, int64_t latent) {
  LatentLabel label;
  label.latent = latent;
  label.label = file.strings(group + "label")[at(latent)];
  label.status = static_cast<Status>(one_of<int8_t>(file, group + "status", latent));
  for (const RealField& field : real_fields)
    label.*field.value = one_of<double>(file, group + field.name, latent);
  for (const CountField& field : count_fields)
    label.*field.value = one_of<int64_t>(file, group + field.name, latent);
  return label;
}

Labels read_labels(const std::filesystem::path& path) {
  const store::Reader reader(path, "labels");
  Labels labels;
  labels.teacher = reader.attribute_string("latents", "teacher");
  labels.model = reader.attribute_string("latents", "model");
  labels.server = reader.attribute_string("latents", "server");
  labels.subjects = reader.strings("latents/subject");
  const std::vector<std::string> names = reader.strings("latents/label");
  const auto h = static_cast<int64_t>(names.size());
  const auto subjects = static_cast<int64_t>(labels.subjects.size());
  const auto latent = reader.read<int64_t>("latents/latent", {h});
  const auto status = reader.read<int8_t>("latents/status", {h});
  const auto by_subject = reader.read<double>("latents/fire_rate_by_subject", {h, subjects});
  labels.latents.resize(names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    LatentLabel& label = labels.latents[j];
    label.latent = latent[j];
    label.label = names[j];
    if (status[j] < 0 || status[j] > static_cast<int8_t>(Status::dead)) disagree(path, "status");
    label.status = static_cast<Status>(status[j]);
    const auto row = by_subject.begin() + static_cast<std::ptrdiff_t>(j * labels.subjects.size());
    label.fire_rate_by_subject.assign(row, row + subjects);
  }
  for (const RealField& field : real_fields) {
    const auto values = reader.read<double>(std::string("latents/") + field.name, {h});
    for (std::size_t j = 0; j < values.size(); ++j) labels.latents[j].*field.value = values[j];
  }
  for (const CountField& field : count_fields) {
    const auto values = reader.read<int64_t>(std::string("latents/") + field.name, {h});
    for (std::size_t j = 0; j < values.size(); ++j) labels.latents[j].*field.value = values[j];
  }
  read_examples(reader, labels);
  read_judgements(reader, labels);
  read_nearest(reader, labels);
  return labels;
}

void require_anchor(const store::Reader& emergence, const std::string& anchor) {
  const auto anchors = emergence.has("anchors") ? emergence.children("anchors") : std::vector<std::string>{};
  if (std::find(anchors.begin(), anchors.end(), anchor) != anchors.end()) return;
  throw Error(Exit::usage, fmt::format("{}: no anchor '{}'; there {} {}", emergence.path().string(), anchor,
                                       anchors.size() == 1 ? "is" : "are", fmt::join(anchors, ", ")));
}

}  // namespace incipit::interpret
