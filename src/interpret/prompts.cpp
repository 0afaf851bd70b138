#include "interpret/prompts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "corpus/utf8.hpp"
#include "error.hpp"
#include "interpret/bundled_prompts.hpp"
#include "store/files.hpp"
#include "text.hpp"

namespace incipit::interpret {
namespace {

using Names = std::vector<std::string>;

constexpr std::size_t example_characters = 300;  // twenty of them fit a context of 2048 tokens
constexpr std::size_t judged_characters = 1200;

/// Calls `literal` with the pieces of a template between placeholders and `named` with each name. A
/// placeholder is a word of a–z in braces; other braces are text.
template <class Literal, class Named>
void walk(std::string_view text, Literal&& literal, Named&& named) {
  while (!text.empty()) {
    const auto open = std::min(text.find('{'), text.size());
    literal(text.substr(0, open));
    text.remove_prefix(open);
    if (text.empty()) return;
    const auto close = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1);
    if (close != std::string_view::npos && close > 1 && text[close] == '}') {
      named(std::string(text.substr(1, close - 1)));
      text.remove_prefix(close + 1);
    } else {
      literal(text.substr(0, 1));
      text.remove_prefix(1);
    }
  }
}

[[noreturn]] void refuse_prompt(const std::string& where, const std::string& found, const Names& names) {
  throw Error(Exit::data, fmt::format("{}: {}; expected what the model is told, a line ---, and a question "
                                      "with {{{}}}",
                                      where, found, fmt::join(names, "} and {")));
}

Prompt parse_prompt(const PromptFile& file, const Names& names) {
  const std::string lines = "\n" + file.text + "\n";
  const std::string_view text = lines;
  const auto rule = text.find("\n---\n");
  if (rule == std::string::npos) refuse_prompt(file.where, "found no line ---", names);
  Prompt prompt{std::string(trimmed(text.substr(0, rule))), std::string(trimmed(text.substr(rule + 5)))};
  Names missing = names;
  walk(
      prompt.system + prompt.user, [](std::string_view) {},
      [&](const std::string& name) {
        if (std::find(names.begin(), names.end(), name) == names.end())
          refuse_prompt(file.where, fmt::format("found {{{}}}", name), names);
        missing.erase(std::remove(missing.begin(), missing.end(), name), missing.end());
      });
  if (!missing.empty()) refuse_prompt(file.where, fmt::format("found no {{{}}}", missing.front()), names);
  return prompt;
}

std::string listed(const std::vector<Shown>& texts) {
  std::string lines;
  for (const Shown& one : texts)
    lines += (lines.empty() ? "- " : "\n- ") + shown_text(one.text, example_characters);
  return lines;
}

}  // namespace

std::string filled(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  walk(
      text, [&](std::string_view piece) { out += piece; },
      [&](const std::string& name) {
        const auto value = values.find(name);
        out += value == values.end() ? "{" + name + "}" : value->second;
      });
  return out;
}

std::string shown_text(std::string_view text, std::size_t characters) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  std::size_t begin = line.size();
  for (std::size_t taken = 0; begin > 0 && taken < characters;)
    if (!corpus::continues_character(line[--begin])) ++taken;
  return begin == 0 ? line : "…" + line.substr(begin);
}

std::array<PromptFile, 2> prompt_files(const std::filesystem::path& folder) {
  if (folder == bundled)
    return {
        {{"the bundled label.txt", bundled_label_prompt}, {"the bundled judge.txt", bundled_judge_prompt}}};
  const auto read = [&](const char* name) {
    return PromptFile{(folder / name).string(), store::read_text(folder / name)};
  };
  return {read("label.txt"), read("judge.txt")};
}

PromptFile frame_file(const std::filesystem::path& folder) {
  if (folder == bundled) return {"the bundled neox.txt", bundled_neox_prompt};
  return {(folder / "neox.txt").string(), store::read_text(folder / "neox.txt")};
}

Prompts::Prompts(const std::filesystem::path& folder) {
  const auto [label, judge] = prompt_files(folder);
  label_ = parse_prompt(label, {"positives", "negatives"});
  judge_ = parse_prompt(judge, {"label", "text"});
}

Prompt Prompts::label(const Brief& brief) const {
  const std::map<std::string, std::string> values = {{"positives", listed(brief.positives)},
                                                     {"negatives", listed(brief.negatives)}};
  return {filled(label_.system, values), filled(label_.user, values)};
}

Prompt Prompts::judge(const std::string& label, const std::string& text) const {
  const std::map<std::string, std::string> values = {{"label", label},
                                                     {"text", shown_text(text, judged_characters)}};
  return {filled(judge_.system, values), filled(judge_.user, values)};
}

}  // namespace incipit::interpret
