#include "interpret/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "corpus/utf8.hpp"
#include "error.hpp"
#include "nan.hpp"
#include "text.hpp"

namespace incipit::interpret {
namespace {

constexpr int label_tokens = 32;
constexpr std::size_t label_characters = 80;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Without blanks, quotes and marks of emphasis at both ends.
std::string_view bare(std::string_view text) {
  static const std::vector<std::string_view> around = {" ", "\t", "\r", "\"", "'", "`",
                                                       "*", "“",  "”",  "‘",  "’"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view mark : around) {
      for (; text.starts_with(mark); again = true) text.remove_prefix(mark.size());
      for (; text.ends_with(mark); again = true) text.remove_suffix(mark.size());
    }
  }
  return text;
}

}  // namespace

std::string parse_label(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = bare(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (ascii_lower(line.substr(0, 6)) == "label:") line = bare(line.substr(6));
    if (line.empty()) continue;
    std::string label(bare(corpus::first_characters(line, label_characters)));
    for (char& c : label)
      if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
    return label;
  }
  return {};
}

Verdict parse_choice(const Choice& choice) {
  if (choice.log_odds > 0) return {Answer::yes, choice.log_odds};
  if (choice.log_odds < 0) return {Answer::no, choice.log_odds};
  const auto begin = std::find_if(choice.text.begin(), choice.text.end(), is_letter);
  const auto end = std::find_if_not(begin, choice.text.end(), is_letter);
  const std::string word = ascii_lower(std::string(begin, end));
  if (word == "yes") return {Answer::yes, 1};
  if (word == "no") return {Answer::no, -1};
  return {Answer::unparsed, nan};
}

ReadingTeacher::ReadingTeacher(Identity identity, std::unique_ptr<LanguageModel> model, Prompts prompts,
                               std::unique_ptr<AnswerCache> answers, std::function<std::string()> stop,
                               std::function<void(const std::string&)> note)
    : identity_(std::move(identity)),
      model_(std::move(model)),
      prompts_(std::move(prompts)),
      answers_(std::move(answers)),
      stop_(std::move(stop)),
      note_(std::move(note)) {}

void ReadingTeacher::ask(Kind kind, const std::vector<Prompt>& prompts,
                         const std::vector<std::string>& keys) {
  std::size_t given = 0;
  const auto keep = [&](std::size_t i, const Choice& choice) {
    answers_->add(keys[i], choice);
    note_(fmt::format("{} of {} {}", ++given, keys.size(), kind == Kind::label ? "labels" : "judgements"));
    leave_if_asked(stop_);
  };
  if (kind == Kind::label) {
    model_->write(prompts, label_tokens, [&](std::size_t i, const std::string& text) {
      keep(i, {nan, text});
    });
  } else {
    model_->choose(prompts, keep);
  }
  answers_->flush();
}

bool ReadingTeacher::take_over() {
  answers_->reload();
  return true;
}

std::vector<Choice> ReadingTeacher::answer(Kind kind, const std::vector<Prompt>& prompts) {
  std::vector<std::string> keys, missing_keys;
  std::vector<Prompt> missing;
  std::set<std::string> seen;
  for (const Prompt& prompt : prompts) {
    keys.push_back(AnswerCache::key(identity_.name, kind == Kind::label ? "label" : "judge", prompt));
    if (answers_->find(keys.back()) != nullptr || !seen.insert(keys.back()).second) continue;
    missing_keys.push_back(keys.back());
    missing.push_back(prompt);
  }
  if (!missing.empty() && !model_)
    throw Error(Exit::unavailable,
                fmt::format("interpret.teacher = cache: {} of {} answers of {} are missing; have the teacher "
                            "itself answer them first",
                            missing.size(), prompts.size(), identity_.name));
  if (!missing.empty()) ask(kind, missing, missing_keys);
  std::vector<Choice> found;
  for (const std::string& key : keys) {
    const Choice* choice = answers_->find(key);
    if (choice == nullptr)
      throw Error(Exit::defect,
                  fmt::format("interpret: {} left a question without an answer", identity_.name));
    found.push_back(*choice);
  }
  return found;
}

std::vector<std::string> ReadingTeacher::label(std::span<const Brief> briefs) {
  std::vector<Prompt> prompts;
  for (const Brief& brief : briefs) prompts.push_back(prompts_.label(brief));
  std::vector<std::string> labels;
  for (const Choice& written : answer(Kind::label, prompts)) labels.push_back(parse_label(written.text));
  return labels;
}

std::vector<std::vector<Verdict>> ReadingTeacher::judge(std::span<const Question> questions) {
  std::vector<Prompt> prompts;
  for (const Question& question : questions) {
    if (question.label.empty()) continue;
    for (const std::string& text : question.texts) prompts.push_back(prompts_.judge(question.label, text));
  }
  const std::vector<Choice> choices = answer(Kind::judge, prompts);
  std::vector<std::vector<Verdict>> verdicts;
  std::size_t next = 0;
  for (const Question& question : questions) {
    std::vector<Verdict>& own = verdicts.emplace_back(question.texts.size(), Verdict{Answer::unparsed, nan});
    if (question.label.empty()) continue;
    for (Verdict& verdict : own) verdict = parse_choice(choices[next++]);
  }
  return verdicts;
}

}  // namespace incipit::interpret
