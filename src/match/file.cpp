#include "match/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "error.hpp"
#include "store/reader.hpp"

namespace incipit::match {
namespace {

std::string below(const std::string& group, const char* name) {
  return (group.empty() ? "" : group + "/") + name;
}

/// phrases[subject, phrase], "" fills.
std::vector<std::string> phrase_table(const Subjects& subjects, std::size_t& width) {
  width = 1;
  for (const Subject& subject : subjects.all) width = std::max(width, subject.phrases.size());
  std::vector<std::string> table;
  for (const Subject& subject : subjects.all) {
    table.insert(table.end(), subject.phrases.begin(), subject.phrases.end());
    table.resize(table.size() + width - subject.phrases.size());
  }
  return table;
}

std::vector<std::string> names_of(const Subjects& subjects) {
  std::vector<std::string> names;
  for (const Subject& subject : subjects.all) names.push_back(subject.name);
  return names;
}

void write_subjects(store::Writer& writer, const Subjects& subjects) {
  const auto n = static_cast<int64_t>(subjects.all.size());
  std::size_t width = 0;
  const std::vector<std::string> table = phrase_table(subjects, width);
  std::vector<int8_t> read;
  for (const Subject& subject : subjects.all) read.push_back(subject.read ? 1 : 0);
  writer.strings("subject", {n}, names_of(subjects), {"1", "subject"}, {"subject"});
  writer.strings("phrases", {n, static_cast<int64_t>(width)}, table,
                 {"1", "phrases of each subject; empty ones fill"}, {"subject", "phrase"});
  writer.write("read", {n}, read, {"1", "1 if the family was trained on texts of the subject"}, {"subject"});
  writer.strings("decoys", {static_cast<int64_t>(subjects.decoys.size())}, subjects.decoys,
                 {"1", "phrases of no subject"}, {"decoy"});
}

Subjects read_subjects(const store::Reader& reader) {
  Subjects subjects;
  const std::vector<std::string> names = reader.strings("subject");
  const std::vector<std::string> table = reader.strings("phrases");
  const auto read = reader.read<int8_t>("read", {static_cast<int64_t>(names.size())});
  const std::size_t width = names.empty() ? 0 : table.size() / names.size();
  for (std::size_t c = 0; c < names.size(); ++c) {
    Subject subject{names[c], {}, read[c] != 0};
    for (std::size_t p = 0; p < width && !table[c * width + p].empty(); ++p) {
      subject.phrases.push_back(table[c * width + p]);
    }
    subjects.all.push_back(std::move(subject));
  }
  subjects.decoys = reader.strings("decoys");
  return subjects;
}

}  // namespace

void write_match_group(store::Writer& writer, const std::string& group, const Matches& m) {
  const std::string latents = below(group, "latents"), tau = below(group, "tau");
  const std::vector<std::string> axes = {"latent", "subject"};
  writer.write(latents + "/similarity", {m.latents, m.subjects}, m.similarity,
               {"1", "cosine of label and subject, over the subject's phrases"}, axes);
  writer.write(latents + "/matched", {m.latents, m.subjects}, m.matched,
               {"1", "1 if the latent is interpretable and its similarity reaches tau"}, axes);
  writer.attribute(latents, "phrases", m.phrases);
  writer.attribute(latents, "tau", m.tau);
  writer.attribute(latents, "tau_auto", int64_t{m.tau_auto});
  writer.attribute(latents, "decoy_rate", m.decoy_rate);
  writer.attribute(latents, "decoy_pairs", m.pairs);
  const auto n = static_cast<int64_t>(m.sweep.tau.size());
  writer.write(tau + "/tau", {n}, m.sweep.tau, {"1", "cosine from which on a latent matches"}, {"tau"});
  writer.write(tau + "/decoy_rate", {n}, m.sweep.decoy_rate,
               {"1", "share of (label, decoy phrase) pairs that match"}, {"tau"});
  writer.write(tau + "/matched", {n, m.subjects}, m.sweep.matched, {"1", "number of matched latents"},
               {"tau", latents + "/subject"});
}

void write_match(const parallel::Communicator& comm, const std::filesystem::path& path,
                 const store::Header& header, const MatchFile& file) {
  store::Header own = header;
  own.kind = "match";
  store::Writer writer(comm, path, own);
  const auto h = static_cast<int64_t>(file.labels.size());
  std::vector<int64_t> index(file.labels.size());
  std::iota(index.begin(), index.end(), int64_t{0});
  write_subjects(writer, file.subjects);
  writer.write("latents/latent", {h}, index, {"1", "latent of the SAE"}, {"latent"});
  writer.strings("latents/subject", {file.matches.subjects}, names_of(file.subjects), {"1", "subject"},
                 {"subject"});
  writer.strings("latents/label", {h}, file.labels, {"1", "label of the latent; empty for a dead one"},
                 {"latent"});
  writer.write("latents/interpretable", {h}, file.interpretable,
               {"1", "1 if the label was verified and may be matched"}, {"latent"});
  write_match_group(writer, "", file.matches);
  writer.attribute("", "encoder", file.encoder);
  writer.commit();
}

MatchFile read_match(const std::filesystem::path& path) {
  const store::Reader reader(path, "match");
  MatchFile file;
  file.encoder = reader.attribute_string("", "encoder");
  file.subjects = read_subjects(reader);
  file.labels = reader.strings("latents/label");
  Matches& m = file.matches;
  m.latents = static_cast<int64_t>(file.labels.size());
  m.subjects = static_cast<int64_t>(file.subjects.all.size());
  file.interpretable = reader.read<int8_t>("latents/interpretable", {m.latents});
  m.similarity = reader.read<float>("latents/similarity", {m.latents, m.subjects});
  m.matched = reader.read<int8_t>("latents/matched", {m.latents, m.subjects});
  m.phrases = reader.attribute_string("latents", "phrases");
  m.tau = reader.attribute_number("latents", "tau");
  m.tau_auto = reader.attribute_integer("latents", "tau_auto") != 0;
  m.decoy_rate = reader.attribute_number("latents", "decoy_rate");
  m.pairs = reader.attribute_integer("latents", "decoy_pairs");
  m.sweep.tau = reader.read<double>("tau/tau");
  const auto n = static_cast<int64_t>(m.sweep.tau.size());
  m.sweep.decoy_rate = reader.read<double>("tau/decoy_rate", {n});
  m.sweep.matched = reader.read<int64_t>("tau/matched", {n, m.subjects});
  return file;
}

}  // namespace incipit::match
