#include "deck/assignments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <functional>
#include <sstream>

#include "deck/nearest.hpp"
#include "deck/registry.hpp"
#include "error.hpp"

namespace incipit::deck {

namespace {

namespace po = boost::program_options;

constexpr std::string_view see_help = "`incipit run --help` lists all keys";

[[noreturn]] void reject(const std::string& where, const std::string& message) {
  throw Error(Exit::usage, where + ": " + message);
}

void check_known(const std::string& name, const std::string& where) {
  const auto anchor = as_anchor_name(name);
  const bool good = anchor && good_anchor_name(anchor->anchor);
  const std::vector<std::string> known = known_names(good ? anchor->anchor : "NAME");
  if (std::find(known.begin(), known.end(), name) != known.end() && (good || !anchor)) return;
  if (anchor && !good && anchor->anchor.find('.') == std::string::npos) {
    reject(where, fmt::format("{}: the anchor's name '{}' is not made of 1 to 64 of a-z, 0-9 and _", name,
                              anchor->anchor));
  }
  const std::string meant = nearest(name, known);
  reject(where, meant.empty()
                    ? fmt::format("unknown key {}; {}", name, see_help)
                    : fmt::format("unknown key {}; the nearest known one is {} ({})", name, meant, see_help));
}

void check_section(const std::string& section, const std::string& where) {
  constexpr std::string_view anchor = "anchor.";
  std::vector<std::string> known;
  for (const Section& each : sections()) known.push_back(each.name);
  const bool listed = std::find(known.begin(), known.end(), section) != known.end();
  if (listed && section != "anchor.NAME") return;
  if (section.starts_with(anchor)) {
    const std::string_view name = std::string_view(section).substr(anchor.size());
    if (good_anchor_name(name)) return;
    reject(where, fmt::format("[{}]: the anchor's name '{}' is not made of 1 to 64 of a-z, 0-9 and _",
                              section, name));
  }
  const std::string meant = section == "anchor" ? "anchor.NAME" : nearest(section, known);
  reject(where, meant.empty() ? fmt::format("unknown section [{}]; {}", section, see_help)
                              : fmt::format("unknown section [{}]; the nearest known one is [{}] ({})",
                                            section, meant, see_help));
}

using Where = std::function<std::string(std::size_t line)>;

/// What Boost does not keep of a deck: the line each key stands on, and sections without keys.
struct Outline {
  struct Key {
    std::string name, where;
  };
  std::vector<Key> keys;
  std::vector<std::string> sections;
};

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= ' ' && byte != 127) || c == '\t' || c == '\r';
  });
}

Outline outline(const std::string& ini, const Where& where_of) {
  Outline found;
  std::istringstream stream(ini);
  std::string raw, prefix;
  for (std::size_t number = 1; std::getline(stream, raw); ++number) {
    const std::string where = where_of(number);
    if (!printable(raw)) reject(where, "a control character stands here; a deck is plain UTF-8 text");
    const std::string line(trim(raw));
    if (line.empty() || line.front() == '#') continue;
    if (line.find('#') != std::string::npos) {
      reject(where,
             fmt::format("found '{}', but values hold no '#': a comment stands on a line of its own", line));
    }
    if (line.front() == '[' && line.back() == ']') {
      const std::string section = line.substr(1, line.size() - 2);
      check_section(section, where);
      found.sections.push_back(section);
      prefix = section + ".";
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos) {
      reject(where, fmt::format("found '{}', expected key = value, [section], or a comment after #", line));
    }
    found.keys.push_back({prefix + std::string(trim(line.substr(0, equals))), where});
    check_known(found.keys.back().name, where);
  }
  return found;
}

po::options_description described_keys() {
  po::options_description keys;
  for (const auto& key : deck_keys()) keys.add_options()(key.full_name().c_str(), po::value<std::string>());
  keys.add_options()("anchor.*", po::value<std::string>());
  return keys;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// Adds an assignment, unless its key was set before.
void add(Assignments& all, Text text) {
  const auto same = [&](const Text& other) { return other.key == text.key; };
  const auto before = std::find_if(all.texts.begin(), all.texts.end(), same);
  if (before != all.texts.end()) {
    reject(text.where, fmt::format("{} is set twice: '{}' here and '{}' at {}", text.key, text.value,
                                   before->value, before->where));
  }
  if (const auto anchor = as_anchor_name(text.key)) add_once(all.anchors, anchor->anchor);
  all.texts.push_back(std::move(text));
}

Assignments read(const std::string& ini, const std::filesystem::path& base, const Where& where) {
  const Outline lines = outline(ini, where);
  Assignments all;
  constexpr std::string_view anchor = "anchor.";
  for (const std::string& section : lines.sections) {
    if (section.starts_with(anchor)) add_once(all.anchors, section.substr(anchor.size()));
  }
  std::istringstream stream(ini);
  const auto parsed = po::parse_config_file(stream, described_keys());
  if (parsed.options.size() != lines.keys.size()) {
    throw Error(Exit::defect, fmt::format("{}: read {} keys where there are {}", where(1),
                                          parsed.options.size(), lines.keys.size()));
  }
  for (std::size_t i = 0; i < lines.keys.size(); ++i) {
    const auto& values = parsed.options[i].value;
    add(all, {.key = lines.keys[i].name,
              .value = values.empty() ? "" : std::string(trim(values.front())),
              .where = lines.keys[i].where,
              .base = base});
  }
  return all;
}

}  // namespace

Assignments read_ini(const std::string& ini, const std::string& name, const std::filesystem::path& base) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  return read(ini.starts_with(byte_order_mark) ? ini.substr(byte_order_mark.size()) : ini, base,
              [&](std::size_t line) { return fmt::format("{}:{}", name, line); });
}

Assignments read_overrides(const std::vector<std::string>& overrides) {
  constexpr const char* where = "command line";
  std::string lines;
  for (const std::string& word : overrides) {
    if (!word.starts_with("--") || word.find('=') == std::string::npos ||
        word.find('\n') != std::string::npos) {
      reject(where, fmt::format("found '{}', expected --section.key=value on one line", word));
    }
    lines += word.substr(2) + '\n';
  }
  return read(lines, {}, [&](std::size_t) { return where; });
}

}  // namespace incipit::deck
