#include "deck/values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "deck/nearest.hpp"
#include "error.hpp"
#include "text.hpp"

namespace incipit::deck {

namespace {

/// The whole of `text` as a number, or nothing.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

/// Digits alone, so that neither signs nor exponents slip in.
std::optional<std::int64_t> digits(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return number<std::int64_t>(text);
}

struct Unit {
  std::string_view name;
  double factor;
};

/// A number from 0 with one of `units` behind it, times the unit's factor.
template <std::size_t n>
std::optional<double> with_unit(std::string_view text, const std::array<Unit, n>& units) {
  const auto split = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto value = number<double>(text.substr(0, split));
  const std::string_view name = trim(text.substr(split));
  const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (!value || unit == units.end()) return std::nullopt;
  return *value * unit->factor;
}

constexpr double kibi = 1024;
constexpr double kilo = 1000;
constexpr std::array<Unit, 13> size_units{{{"B", 1},
                                           {"K", kibi},
                                           {"M", kibi* kibi},
                                           {"G", kibi* kibi* kibi},
                                           {"T", kibi* kibi* kibi* kibi},
                                           {"KiB", kibi},
                                           {"MiB", kibi* kibi},
                                           {"GiB", kibi* kibi* kibi},
                                           {"TiB", kibi* kibi* kibi* kibi},
                                           {"KB", kilo},
                                           {"MB", kilo* kilo},
                                           {"GB", kilo* kilo* kilo},
                                           {"TB", kilo* kilo* kilo* kilo}}};

constexpr double minute = 60;
constexpr double hour = 3600;
constexpr double day = 86400;
constexpr std::array<Unit, 4> time_units{{{"s", 1}, {"m", minute}, {"h", hour}, {"d", day}}};

std::vector<std::string_view> parts_between(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// HH:MM:SS in seconds.
std::optional<double> clock_time(std::string_view text) {
  const auto parts = parts_between(text, ':');
  if (parts.size() != 3) return std::nullopt;
  const auto hours = digits(parts[0]), minutes = digits(parts[1]), seconds = digits(parts[2]);
  if (!hours || !minutes || !seconds || *minutes > 59 || *seconds > 59) return std::nullopt;
  return hour * static_cast<double>(*hours) + minute * static_cast<double>(*minutes) +
         static_cast<double>(*seconds);
}

/// Whole numbers between commas, sorted and rejoined; `expected` says what the key takes.
std::string sorted_numbers(const Text& text, std::string_view expected) {
  std::set<std::int64_t> numbers;
  for (const std::string_view part : parts_between(text.value, ',')) {
    const auto value = digits(part);
    if (!value) refuse(text, expected);
    if (!numbers.insert(*value).second) refuse(text, fmt::format("each number once, not {} twice", *value));
  }
  return fmt::format("{}", fmt::join(numbers, ","));
}

std::string joined_choices(const std::vector<std::string>& choices) {
  if (choices.size() == 1) return choices.front();
  return fmt::format("{} or {}", fmt::join(choices.begin(), choices.end() - 1, ", "), choices.back());
}

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string expecting_one_of(const std::vector<std::string>& known, std::string_view found) {
  const std::string meant = nearest(found, known);
  return joined_choices(known) + (meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant));
}

}  // namespace

void refuse(const Text& text, std::string_view expected) {
  throw Error(Exit::usage,
              fmt::format("{}: {}: found '{}', expected {}", text.where, text.key, text.value, expected));
}

std::string_view trim(std::string_view text) {
  return trimmed(text, " \t\r\n\v\f");
}

template <class Number>
Reader<Number> whole(Number least, Number most) {
  return [least, most](const Text& text) {
    const auto value = number<Number>(text.value);
    if (!value || *value < least || *value > most) {
      refuse(text, most == std::numeric_limits<Number>::max()
                       ? fmt::format("a whole number from {}", least)
                       : fmt::format("a whole number from {} to {}", least, most));
    }
    return *value;
  };
}
template Reader<int> whole(int, int);
template Reader<std::int64_t> whole(std::int64_t, std::int64_t);
template Reader<std::uint64_t> whole(std::uint64_t, std::uint64_t);

Reader<double> real(double least, double most) {
  return [least, most](const Text& text) {
    const auto value = number<double>(text.value);
    // Written so that NaN fails.
    if (!value || !(*value >= least && *value <= most)) {
      refuse(text, fmt::format("a number from {} to {}", least, most));
    }
    return *value;
  };
}

bool yes_or_no(const Text& text) {
  static const std::vector<std::string> yes = {"yes", "true", "on", "1"};
  static const std::vector<std::string> no = {"no", "false", "off", "0"};
  if (holds(yes, text.value)) return true;
  if (!holds(no, text.value)) refuse(text, "yes or no");
  return false;
}

Reader<std::string> choice(std::vector<std::string> words) {
  return [words = std::move(words)](const Text& text) {
    if (!holds(words, text.value)) refuse(text, expecting_one_of(words, text.value));
    return text.value;
  };
}

std::uint64_t size(const Text& text) {
  const auto bytes = with_unit(text.value, size_units);
  constexpr double most = 1ULL << 60U;
  if (!bytes || !(*bytes >= 1 && *bytes <= most)) {
    refuse(text, "a size such as 8G, 8GiB (8 x 1024^3 bytes) or 8GB (8 x 1000^3 bytes)");
  }
  return static_cast<std::uint64_t>(*bytes);
}

std::string spell_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t power = 0;
  for (; power + 1 < names.size() && bytes != 0 && bytes % 1024 == 0; ++power) bytes /= 1024;
  return fmt::format("{}{}", bytes, names[power]);
}

double duration(const Text& text) {
  if (text.value == "0") return 0;
  const auto clock = clock_time(text.value);
  const auto seconds = clock ? clock : with_unit(text.value, time_units);
  constexpr double least = 1e-3, most = 1e9;
  if (!seconds || (*seconds != 0 && !(*seconds >= least && *seconds <= most))) {
    refuse(text, "a time such as 90s, 45m, 8h, 2d or 08:00:00, or 0 for no limit");
  }
  return *seconds;
}

std::string spell_duration(double seconds) {
  return seconds == 0 ? "0" : fmt::format("{}s", seconds);
}

template <class Value>
Reader<std::optional<Value>> or_auto(Reader<Value> reader) {
  return [reader = std::move(reader)](const Text& text) -> std::optional<Value> {
    if (text.value == "auto") return std::nullopt;
    return reader(text);
  };
}
template Reader<std::optional<int>> or_auto(Reader<int>);
template Reader<std::optional<std::uint64_t>> or_auto(Reader<std::uint64_t>);

Reader<std::string> real_text_or_auto(double least, double most) {
  return [least, most](const Text& text) -> std::string {
    if (text.value == "auto") return text.value;
    const auto value = number<double>(text.value);
    if (!value || !(*value >= least && *value <= most)) {
      refuse(text, fmt::format("auto, or a number from {} to {}", least, most));
    }
    return spell(*value);
  };
}

std::vector<std::string> words(const Text& text) {
  if (text.value.empty()) return {};
  std::vector<std::string> list;
  for (const std::string_view part : parts_between(text.value, ',')) {
    if (part.empty()) refuse(text, "words between commas, none of them empty");
    std::string word(part);
    if (holds(list, word)) refuse(text, fmt::format("each word once, not '{}' twice", word));
    list.push_back(std::move(word));
  }
  return list;
}

Reader<std::vector<std::string>> some_of(std::vector<std::string> known) {
  return [known = std::move(known)](const Text& text) {
    const std::vector<std::string> given = words(text);
    for (const std::string& word : given) {
      if (!holds(known, word)) refuse(text, "any of " + expecting_one_of(known, word));
    }
    if (given.empty()) refuse(text, "at least one of " + joined_choices(known));
    std::vector<std::string> list;
    std::copy_if(known.begin(), known.end(), std::back_inserter(list),
                 [&](const std::string& word) { return holds(given, word); });
    return list;
  };
}

Reader<std::vector<std::string>> none_or_some_of(std::vector<std::string> known) {
  return [some = some_of(std::move(known))](const Text& text) {
    return text.value == "none" ? std::vector<std::string>() : some(text);
  };
}

std::string spell_or_none(const std::vector<std::string>& words) {
  return words.empty() ? "none" : spell(words);
}

std::string free_text(const Text& text) {
  return text.value;
}

std::string probe_template(const Text& text) {
  static const std::vector<std::string> fields = {"{question}", "{options}", "{answer}"};
  const bool any = std::any_of(fields.begin(), fields.end(), [&](const std::string& field) {
    return text.value.find(field) != std::string::npos;
  });
  if (!any) refuse(text, "a text that holds at least one of {question}, {options} and {answer}");
  return text.value;
}

std::string steps_selection(const Text& text) {
  constexpr std::string_view expected =
      "all, log:N (N steps spaced evenly in log2(1+step)), or steps such as 0,1000,143000";
  constexpr std::string_view log = "log:";
  if (text.value == "all") return text.value;
  if (!text.value.starts_with(log)) return sorted_numbers(text, expected);
  const auto count = digits(trim(std::string_view(text.value).substr(log.size())));
  if (!count || *count < 1) refuse(text, expected);
  return fmt::format("log:{}", *count);
}

std::string layers_selection(const Text& text) {
  if (text.value == "needed" || text.value == "all") return text.value;
  return sorted_numbers(text, "needed (those of the curves), all, or layers such as 0,5,15");
}

std::string anchor_step(const Text& text) {
  if (text.value == "last") return text.value;
  const auto step = digits(text.value);
  if (!step) refuse(text, "last or a training step such as 1000");
  return spell(*step);
}

std::string anchor_layer(const Text& text) {
  if (text.value == "last") return text.value;
  if (const auto layer = digits(text.value)) return spell(*layer);
  const auto fraction = number<double>(text.value);
  if (!fraction || !(*fraction > 0 && *fraction < 1)) {
    refuse(text, "last, a layer such as 5 (0 is the embedding), or a fraction of the depth such as 0.5");
  }
  return spell(*fraction);
}

std::string split_shares(const Text& text) {
  constexpr std::string_view expected = "none, or shares of fit:verify:judge from 1 to 100 such as 2:1:1";
  if (text.value == "none") return text.value;
  const auto parts = parts_between(text.value, ':');
  if (parts.size() != 3) refuse(text, expected);
  std::vector<std::int64_t> shares;
  for (const std::string_view part : parts) {
    const auto share = digits(part);
    if (!share || *share < 1 || *share > 100) refuse(text, expected);
    shares.push_back(*share);
  }
  return fmt::format("{}", fmt::join(shares, ":"));
}

std::string server_url(const Text& text) {
  constexpr std::string_view expected = "a server such as http://localhost:8000 or https://host.org/v1";
  std::string_view rest = text.value;
  for (const std::string_view scheme : {"http://", "https://"})
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  if (rest.find('@') != std::string_view::npos)
    refuse({text.key, "(not shown)", text.where, {}},
           "no user or password in the URL; key_env names the environment variable of a key");
  const bool plain = rest.find_first_of("?# \t\\") == std::string_view::npos;
  if (rest.size() == text.value.size() || rest.empty() || rest.front() == '/' || rest.front() == ':' ||
      !plain)
    refuse(text, expected);
  return text.value.substr(0, text.value.find_last_not_of('/') + 1);
}

std::string variable_name(const Text& text) {
  const auto is_part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool is_name = std::all_of(text.value.begin(), text.value.end(), is_part);
  if (!is_name || (!text.value.empty() && text.value.front() >= '0' && text.value.front() <= '9'))
    refuse(
        {text.key, "(not shown)", text.where, {}},
        "the name of an environment variable such as OPENAI_API_KEY; the key itself has no place in a deck");
  return text.value;
}

std::filesystem::path path_under_base(const Text& text) {
  if (text.value.empty()) refuse(text, "a path");
  std::filesystem::path path = (text.base / text.value).lexically_normal();
  // "nano/" and "nano" are the same place and get the same spelling.
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  return path;
}

std::string spell(bool value) {
  return value ? "yes" : "no";
}
std::string spell(int value) {
  return fmt::format("{}", value);
}
std::string spell(std::int64_t value) {
  return fmt::format("{}", value);
}
std::string spell(std::uint64_t value) {
  return fmt::format("{}", value);
}
std::string spell(double value) {
  return fmt::format("{}", value);
}
std::string spell(const std::string& value) {
  return value;
}
std::string spell(const std::vector<std::string>& value) {
  return fmt::format("{}", fmt::join(value, ", "));
}

}  // namespace incipit::deck
