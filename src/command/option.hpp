#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.hpp"

namespace incipit::command {

/// What stands behind `option` ("--output=") in a word of the command line; nothing where it is another word.
inline std::optional<std::string> value_of(const std::string& word, std::string_view option) {
  if (!word.starts_with(option)) return {};
  return word.substr(option.size());
}

/// Takes `--name=value` and `--name value` of these names out of a command line: value by name.
inline std::map<std::string, std::string> take_options(std::vector<std::string>& words,
                                                       std::initializer_list<std::string_view> names) {
  std::map<std::string, std::string> found;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto equals = words[i].find('=');
    const std::string name = words[i].starts_with("--") ? words[i].substr(2, equals - 2) : "";
    if (std::ranges::find(names, name) == names.end()) {
      others.push_back(words[i]);
    } else if (equals != std::string::npos) {
      found[name] = words[i].substr(equals + 1);
    } else if (i + 1 < words.size()) {
      found[name] = words[++i];
    } else {
      throw Error(Exit::usage, "--" + name + " stands at the end without its value");
    }
  }
  words = std::move(others);
  return found;
}

/// What stands between the commas of a list.
inline std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const auto comma = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

}  // namespace incipit::command
