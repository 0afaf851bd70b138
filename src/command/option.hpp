#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace incipit::command {

/// What stands behind `option` ("--output=") in a word of the command line; nothing where it is another word.
inline std::optional<std::string> value_of(const std::string& word, std::string_view option) {
  if (!word.starts_with(option)) return {};
  return word.substr(option.size());
}

}  // namespace incipit::command
