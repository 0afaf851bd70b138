#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "deck/deck.hpp"
#include "deck/registry.hpp"

namespace incipit::deck {

namespace {

constexpr std::size_t columns = 100;

std::string line(const std::string& name, const std::string& value) {
  return fmt::format("{} ={}{}\n", name, value.empty() ? "" : " ", value);
}

enum class Kinds { science, operational };

/// The keys of one section and kind as INI lines without the section's head.
std::string section_lines(const Deck& deck, const std::string& section, Kinds kinds, Paths paths) {
  std::string lines;
  for (const auto& key : deck_keys()) {
    if (key.section != section || key.operational != (kinds == Kinds::operational)) continue;
    lines += line(key.name, key.get(deck, paths));
  }
  return lines;
}

std::string anchor_lines(const Anchor& anchor, Paths paths) {
  std::string lines = fmt::format("[anchor.{}]\n", anchor.name);
  for (const auto& key : anchor_keys()) lines += line(key.name, key.get(anchor, paths));
  return lines;
}

std::string science(const Deck& deck, Paths paths) {
  std::string text;
  for (const Section& section : sections()) {
    if (section.name == "anchor.NAME") {
      for (const Anchor& anchor : deck.anchors) text += anchor_lines(anchor, paths);
    } else {
      text += fmt::format("[{}]\n{}", section.name, section_lines(deck, section.name, Kinds::science, paths));
    }
  }
  return text;
}

/// Every section that has operational keys, with them alone.
std::string operational(const Deck& deck, Paths paths) {
  std::string text;
  for (const Section& section : sections()) {
    const std::string lines = section_lines(deck, section.name, Kinds::operational, paths);
    if (!lines.empty()) text += fmt::format("[{}]\n{}", section.name, lines);
  }
  return text;
}

bool reads(const std::vector<Stage>& stages, Stage stage) {
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

/// `text` in lines of at most `width` columns, each after `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string lines, current;
  const auto flush = [&] {
    lines += std::string(indent, ' ') + current + '\n';
    current.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (!current.empty() && indent + current.size() + 1 + word.size() > width) flush();
    if (!current.empty()) current += ' ';
    current += word;
    at = end + 1;
  }
  flush();
  return lines;
}

template <class Owner>
std::string help_of(const Key<Owner>& key) {
  std::string given;
  if (key.required) {
    given = "(must be given)";
  } else {
    given = "= " + (key.shown_default.empty() ? key.fallback() : "(" + key.shown_default + ")");
  }
  const std::string unit = key.unit.empty() ? "" : fmt::format("  [{}]", key.unit);
  constexpr std::size_t indent = 6;
  return fmt::format("  {} {}{}\n", key.name, given, unit) + wrapped(key.help, indent, columns);
}

/// Lines of `keys_of` as (name, value) in their order.
std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view lines) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    const std::string_view one = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos) continue;
    pairs.emplace_back(trim(one.substr(0, equals)), trim(one.substr(equals + 1)));
  }
  return pairs;
}

}  // namespace

std::string help() {
  std::string text = wrapped(
      "Every key of a deck, as `key = default`. A deck is an INI file: [section], key = value, and "
      "comments after # on lines of their own. On the command line a key is --section.key=value. Paths "
      "of inputs in a deck are relative to the deck, on the command line to the working directory.",
      0, columns);
  for (const Section& section : sections()) {
    text += fmt::format("\n[{}]  {}\n", section.name, section.title);
    for (const auto& key : anchor_keys()) {
      if (key.section == section.name) text += help_of(key);
    }
    for (const auto& key : deck_keys()) {
      if (key.section == section.name) text += help_of(key);
    }
  }
  return text;
}

std::string resolved(const Deck& deck) {
  return "# The deck as Incipit read it, every key with its value; it can be run again as it is.\n" +
         science(deck, Paths::absolute) +
         "# The keys below change where, when and how fast, never a result.\n" +
         operational(deck, Paths::absolute);
}

std::string resolved_science(const Deck& deck) {
  return science(deck, Paths::as_held);
}

std::string resolved_operational(const Deck& deck) {
  return operational(deck, Paths::as_held);
}

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::extract:
      return "extract";
    case Stage::train:
      return "train";
    case Stage::interpret:
      return "interpret";
    case Stage::match:
      return "match";
    case Stage::align:
      return "align";
    case Stage::attribute:
      return "attribute";
    case Stage::track:
      return "track";
    case Stage::loss:
      return "loss";
  }
  return "";
}

std::string keys_of(const Deck& deck, Stage stage, std::string_view anchor) {
  std::string lines;
  for (const auto& key : deck_keys()) {
    const bool input = key.input_path || (key.names_input && key.names_input(deck));
    if (input || !reads(key.stages, stage)) continue;
    lines += line(key.full_name(), key.get(deck, Paths::as_held));
  }
  for (const Anchor& each : deck.anchors) {
    if (!anchor.empty() && each.name != anchor) continue;
    for (const auto& key : anchor_keys()) {
      if (!reads(key.stages, stage)) continue;
      lines += line(fmt::format("anchor.{}.{}", each.name, key.name), key.get(each, Paths::as_held));
    }
  }
  return lines;
}

std::vector<std::string> differing_keys(std::string_view stored, std::string_view now) {
  const auto before = pairs_of(stored);
  const auto after = pairs_of(now);
  const std::map<std::string, std::string> old_values(before.begin(), before.end());
  const std::map<std::string, std::string> new_values(after.begin(), after.end());
  std::vector<std::string> names;
  for (const auto& [name, value] : before) {
    const auto at = new_values.find(name);
    if (at == new_values.end() || at->second != value) names.push_back(name);
  }
  for (const auto& [name, value] : after) {
    if (!old_values.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace incipit::deck
