#include "corpus/question.hpp"

#include <utility>

#include "error.hpp"

namespace incipit::corpus {
namespace {

[[noreturn]] void refuse_template(const std::string& what) {
  throw Error(Exit::usage, "probes.template: " + what);
}

char escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '\\':
    case '{':
    case '}':
      return c;
    default:
      refuse_template(std::string("unknown escape '\\") + c + "'; known are \\n, \\t, \\\\, \\{ and \\}");
  }
}

/// Lines "A. first", "B. second", ...
std::string listed(const std::vector<std::string>& options) {
  std::string lines;
  char letter = 'A';
  for (const std::string& option : options) {
    if (!lines.empty()) lines += '\n';
    lines += std::string(1, letter++) + ". " + option;
  }
  return lines;
}

}  // namespace

QuestionTemplate::QuestionTemplate(std::string_view text) {
  std::string literal;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '\\') {
      if (text.empty()) refuse_template("ends in a lone backslash");
      literal += escaped(text.front());
      text.remove_prefix(1);
    } else if (c != '{') {
      literal += c;
    } else {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) refuse_template("a '{' is not closed");
      const std::string_view name = text.substr(0, end);
      const Slot slot = name == "question"  ? Slot::question
                        : name == "options" ? Slot::options
                        : name == "answer"  ? Slot::answer
                                            : Slot::none;
      if (slot == Slot::none) {
        refuse_template("unknown name {" + std::string(name) +
                        "}; known are {question}, {options} and {answer}");
      }
      parts_.push_back({std::exchange(literal, {}), slot});
      text.remove_prefix(end + 1);
    }
  }
  if (parts_.empty())
    refuse_template("holds none of {question}, {options}, {answer}: all texts would be equal");
  parts_.push_back({literal, Slot::none});
}

std::string QuestionTemplate::fill(const Question& question, const std::string& where) const {
  std::string text;
  for (const Part& part : parts_) {
    text += part.text;
    switch (part.slot) {
      case Slot::none:
        break;
      case Slot::question:
        text += question.text;
        break;
      case Slot::options:
        if (question.options.empty())
          throw Error(Exit::data, where + ": no options, which probes.template asks for");
        text += listed(question.options);
        break;
      case Slot::answer:
        if (question.answer < 0 || question.answer >= static_cast<int64_t>(question.options.size())) {
          throw Error(Exit::data, where + ": no right answer among the " +
                                      std::to_string(question.options.size()) +
                                      " options, which probes.template asks for");
        }
        text += question.options[static_cast<std::size_t>(question.answer)];
        break;
    }
  }
  return text;
}

}  // namespace incipit::corpus
