#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "deck/values.hpp"

/// From text to (key, value, where) with all names known, before any value is looked at.
namespace incipit::deck {

struct Assignments {
  std::vector<Text> texts;           ///< every key at most once, in order
  std::vector<std::string> anchors;  ///< NAMEs in order of appearance; a bare `[anchor.NAME]` counts
};

/// Reads the INI text of a deck. Errors: usage for lines that are no deck, unknown names (with the nearest
/// known one), keys set twice, and values with '#'. `name` stands in messages, `base` is the deck's folder.
Assignments read_ini(const std::string& ini, const std::string& name, const std::filesystem::path& base);

/// Reads `--section.key=value` words; paths are relative to the working directory. Errors: as above.
Assignments read_overrides(const std::vector<std::string>& overrides);

}  // namespace incipit::deck
