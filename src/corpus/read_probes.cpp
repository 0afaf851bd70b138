#include "corpus/read_probes.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "corpus/csv.hpp"
#include "corpus/question.hpp"
#include "corpus/text_file.hpp"
#include "corpus/utf8.hpp"
#include "error.hpp"
#include "refuse.hpp"
#include "store/json.hpp"

namespace incipit::corpus {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t group_characters = 80;  // design: hundreds of questions share their opening

/// Calls `use` for every line that is not blank, with its place.
void for_each_line(std::string_view text, const fs::path& path,
                   const std::function<void(std::string_view, const std::string&)>& use) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    use(line, path.string() + ":" + std::to_string(number));
  }
}

/// Ids come as strings or as numbers.
std::string read_id(const store::JsonObject& json, const char* key) {
  return json.at(key).is_number_integer() ? std::to_string(json.integer(key)) : json.text(key);
}

Probe read_line(const store::JsonObject& json) {
  Probe probe;
  probe.id = read_id(json, "id");
  probe.subject = json.text("subject");
  probe.text = json.text("text");
  probe.group = json.text("group", probe.id.c_str());
  probe.where = json.where();
  return probe;
}

Probe from_question(const Question& question, const QuestionTemplate& form, std::string id,
                    std::string subject, const std::string& where) {
  Probe probe;
  probe.id = std::move(id);
  probe.subject = std::move(subject);
  probe.group = first_characters(question.text, group_characters);
  probe.text = form.fill(question, where);
  probe.where = where;
  return probe;
}

/// The index of an answer given by its letter; -1 when it is none.
int64_t letter_index(std::string_view letter, std::size_t options) {
  if (letter.size() != 1 || letter.front() < 'A') return -1;
  const int64_t index = letter.front() - 'A';
  return index < static_cast<int64_t>(options) ? index : -1;
}

Question read_question(const store::JsonObject& json) {
  Question question;
  question.text = json.text("question");
  if (json.has("options")) {
    for (const nlohmann::json& option : json.array("options")) {
      if (!option.is_string()) {
        refuse(json.where(), "key 'options': expected strings, found " + store::JsonObject::shown(option));
      }
      question.options.push_back(option.get<std::string>());
    }
  }
  if (json.has("answer_index")) {
    question.answer = json.integer("answer_index");
  } else if (json.has("answer")) {
    question.answer = letter_index(json.text("answer"), question.options.size());
  }
  return question;
}

RawProbes read_json_lines(const fs::path& path, const std::function<Probe(const store::JsonObject&)>& read) {
  const TextFile file = read_text_file(path);
  RawProbes raw;
  raw.files.push_back({path, file.sha256});
  for_each_line(file.text, path, [&](std::string_view line, const std::string& where) {
    const nlohmann::json parsed = store::parse_json(line, where);
    raw.all.push_back(read(store::JsonObject(parsed, where)));
  });
  return raw;
}

std::vector<fs::path> test_files(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with("_test.csv") || name.ends_with("_test.csv.gz")) files.push_back(it->path());
  }
  if (error) throw Error(Exit::io, folder.string() + ": cannot be listed: " + error.message());
  if (files.empty()) refuse(folder.string(), "no SUBJECT_test.csv in it");
  std::sort(files.begin(), files.end());
  return files;
}

void read_csv(const fs::path& path, const QuestionTemplate& form, RawProbes& raw) {
  constexpr std::size_t columns = 6;  // question, four options, the answer's letter
  const std::string name = path.filename().string();
  const std::string subject = name.substr(0, name.rfind("_test.csv"));
  const TextFile file = read_text_file(path);
  raw.files.push_back({path, file.sha256});
  for (CsvRecord& record : parse_csv(file.text, path.string())) {
    const std::string number = std::to_string(record.line), where = path.string() + ":" + number;
    if (record.fields.size() != columns) {
      refuse(where, "expected question, A, B, C, D, answer, found " + std::to_string(record.fields.size()) +
                        " fields");
    }
    Question question;
    question.text = std::move(record.fields.front());
    question.options.assign(record.fields.begin() + 1, record.fields.end() - 1);
    question.answer = letter_index(record.fields.back(), question.options.size());
    if (question.answer < 0)
      refuse(where, "expected an answer of A to D, found '" + record.fields.back() + "'");
    raw.all.push_back(from_question(question, form, subject + "/" + number, subject, where));
  }
}

void check_texts(const Probe& probe) {
  const auto check = [&](const std::string& text, const char* what) {
    if (text.empty()) refuse(probe.where, std::string("the ") + what + " is empty");
    if (const std::size_t at = first_invalid_utf8(text); at != std::string_view::npos) {
      refuse(probe.where,
             std::string("the ") + what + " is not valid UTF-8 at its byte " + std::to_string(at));
    }
  };
  check(probe.id, "id");
  check(probe.subject, "subject");
  check(probe.group, "group");
  check(probe.text, "text");
  // Output files hold these as strings that a zero byte would end.
  for (const std::string* name : {&probe.id, &probe.subject, &probe.group}) {
    if (name->find('\0') != std::string::npos) refuse(probe.where, "a zero byte in an id, subject or group");
  }
}

}  // namespace

RawProbes read_probes(const ProbeOptions& options) {
  RawProbes raw;
  if (options.format == "jsonl") {
    raw = read_json_lines(options.path, read_line);
  } else if (options.format == "mmlu-pro") {
    const QuestionTemplate form(options.template_);
    raw = read_json_lines(options.path, [&](const store::JsonObject& json) {
      return from_question(read_question(json), form, read_id(json, "question_id"), json.text("category"),
                           json.where());
    });
  } else if (options.format == "mmlu") {
    const QuestionTemplate form(options.template_);
    for (const fs::path& path : test_files(options.path)) read_csv(path, form, raw);
  } else {
    throw Error(Exit::usage,
                "probes.format: expected jsonl, mmlu-pro or mmlu, found '" + options.format + "'");
  }
  for (const Probe& probe : raw.all) check_texts(probe);
  if (raw.all.empty()) refuse(options.path.string(), "no probes in it");
  return raw;
}

}  // namespace incipit::corpus
