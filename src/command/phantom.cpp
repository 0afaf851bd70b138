#include "phantom/phantom.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "command/command.hpp"
#include "command/machine.hpp"
#include "command/option.hpp"
#include "error.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

std::string phantom_usage() {
  std::string text =
      "usage: incipit phantom --out=FOLDER [--seed=1] [--null] [--sizes=FILE] [--NAME=NUMBER ...]\n\n"
      "Writes a family of GPT-NeoX checkpoints whose concepts were planted, with probes, subjects, a deck "
      "(phantom.ini)\n"
      "and the truth (truth.h5): which subjects exist, from which step, layer and model on, and where they "
      "are "
      "rescaled,\n"
      "turned, outvoted or lost. --null plants none. Sizes, here or in FILE as lines `name = number`:\n\n";
  const phantom::Options usual;
  for (const phantom::Size& size : phantom::sizes)
    text += fmt::format("  --{:<10} {:>6}  {}\n", size.name, usual.*size.value, size.meaning);
  return text;
}

struct PhantomWords {
  fs::path out;
  phantom::Options options;
  bool null = false, help = false;
};

template <class Number>
Number whole_number(const std::string& name, const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    throw Error(Exit::usage, fmt::format("phantom: {}={}; expected a whole number", name, text));
  return number;
}

/// Whether `name` is that of a size or the seed.
bool take_size(const std::string& name, const std::string& text, phantom::Options& options) {
  if (name == "seed") {
    options.seed = whole_number<uint64_t>(name, text);
    return true;
  }
  for (const phantom::Size& size : phantom::sizes) {
    if (name != size.name) continue;
    options.*size.value = whole_number<int64_t>(name, text);
    return true;
  }
  return false;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

void read_sizes(const fs::path& file, phantom::Options& options) {
  std::istringstream lines(store::read_text(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto equals = line.find('=');
    const std::string name = trimmed(line.substr(0, equals));
    if (name.empty() || name.front() == '#') continue;
    if (equals == std::string::npos || !take_size(name, trimmed(line.substr(equals + 1)), options))
      throw Error(Exit::usage, fmt::format("phantom: {}:{}: expected `name = number`, found '{}'\n{}",
                                           file.string(), number, line, phantom_usage()));
  }
}

/// `--name value` as `--name=value`.
std::vector<std::string> joined(const std::vector<std::string>& words) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool whole =
        words[i].find('=') != std::string::npos || words[i] == "--null" || words[i] == "--help";
    all.push_back(words[i]);
    if (words[i].starts_with("--") && !whole && i + 1 < words.size()) all.back() += "=" + words[++i];
  }
  return all;
}

PhantomWords read_phantom_words(const std::vector<std::string>& words) {
  PhantomWords found;
  for (const std::string& word : words)
    if (const auto file = value_of(word, "--sizes=")) read_sizes(*file, found.options);
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (word == "--help" || word == "-h") {
      found.help = true;
    } else if (word == "--null") {
      found.null = true;
    } else if (const auto out = value_of(word, "--out="); out && !out->empty()) {
      found.out = *out;
    } else if (value_of(word, "--sizes=")) {
      continue;
    } else if (!word.starts_with("--") || equals == std::string::npos ||
               !take_size(word.substr(2, equals - 2), word.substr(equals + 1), found.options)) {
      throw Error(Exit::usage, fmt::format("phantom: no option '{}'\n{}", word, phantom_usage()));
    }
  }
  if (found.null) found.options.never = found.options.subjects;
  if (!found.help && found.out.empty())
    throw Error(Exit::usage, fmt::format("phantom: name a folder with --out\n{}", phantom_usage()));
  return found;
}

}  // namespace

void phantom(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (!world.root()) return;  // a few seconds are one rank's work
  const PhantomWords asked = read_phantom_words(joined(words));
  if (asked.help) {
    fmt::print("{}", phantom_usage());
    return;
  }
  const auto done = phantom::write_phantom(asked.out, asked.options, machine_free_header());
  fmt::print("{}: {} checkpoints, {} probes, {} of {} subjects planted, {} dips\n", asked.out.string(),
             done.checkpoints, done.probes, done.planted, asked.options.subjects, done.dips);
  fmt::print("next: incipit run {}\n", (asked.out / "phantom.ini").string());
}

}  // namespace incipit::command
