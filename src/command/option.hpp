#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::command {

/// What stands behind `option` ("--output=") in a word of the command line; nothing where it is another word.
inline std::optional<std::string> value_of(const std::string& word, std::string_view option) {
  if (!word.starts_with(option)) return {};
  return word.substr(option.size());
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
