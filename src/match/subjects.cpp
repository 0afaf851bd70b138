#include "match/subjects.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "error.hpp"
#include "store/json.hpp"

namespace incipit::match {
namespace {

using nlohmann::json;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    throw Error(Exit::io, fmt::format("{}: cannot be read; match.subjects names the file with the subjects' "
                                      "phrases",
                                      path.string()));
  }
  return text.str();
}

void only_keys(const json& object, const std::string& where, std::initializer_list<const char*> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(Exit::data, fmt::format("{}: unknown key '{}'; expected {}", where, key,
                                          fmt::join(known.begin(), known.end(), ", ")));
    }
  }
}

bool is_blank(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) != 0; });
}

std::vector<std::string> phrases_of(const json& list, const std::string& where) {
  std::vector<std::string> phrases;
  for (const json& phrase : list) {
    if (!phrase.is_string() || is_blank(phrase.get_ref<const std::string&>())) {
      throw Error(Exit::data,
                  fmt::format("{}: expected phrases, found {}", where, store::JsonObject::shown(phrase)));
    }
    phrases.push_back(phrase.get<std::string>());
  }
  return phrases;
}

Subject subject_of(const std::string& name, const json& entry, const std::string& file) {
  const store::JsonObject object(entry, fmt::format("{}: subject '{}'", file, name));
  only_keys(entry, object.where(), {"phrases", "read"});
  Subject subject{name, phrases_of(object.array("phrases"), object.where()), object.boolean("read", true)};
  if (subject.phrases.empty()) {
    throw Error(Exit::data, object.where() + ": the list of phrases is empty; give at least one");
  }
  return subject;
}

}  // namespace

Subjects load_subjects(const std::filesystem::path& path, std::span<const std::string> wanted) {
  const std::string file = path.string();
  const json root = store::parse_json(read_text(path), file, store::DuplicateKeys::refuse);
  const store::JsonObject top(root, file);
  only_keys(root, file, {"subjects", "decoys"});
  const json& entries = top.at("subjects");
  if (!entries.is_object())
    throw Error(Exit::data, file + ": key 'subjects': expected an object of subjects");
  Subjects subjects;
  std::vector<std::string> missing;
  // Every entry is looked at, so that a mistake shows before a deck needs that subject.
  for (const auto& [name, entry] : entries.items()) subject_of(name, entry, file);
  for (const std::string& name : wanted) {
    if (entries.contains(name)) {
      subjects.all.push_back(subject_of(name, entries[name], file));
    } else {
      missing.push_back(name);
    }
  }
  if (!missing.empty()) {
    throw Error(Exit::data, fmt::format("{}: no entry for {} that the probes have: {}; add phrases for {}",
                                        file, missing.size() == 1 ? "a subject" : "subjects",
                                        fmt::join(missing, ", "), missing.size() == 1 ? "it" : "them"));
  }
  if (top.has("decoys")) subjects.decoys = phrases_of(top.array("decoys"), file + ": key 'decoys'");
  return subjects;
}

}  // namespace incipit::match
