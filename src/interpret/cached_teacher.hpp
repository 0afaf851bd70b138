#pragma once

#include <filesystem>
#include <string>

#include "interpret/language_model.hpp"

/// Whose answers lie where below an output folder.
namespace incipit::interpret {

/// OUTPUT/teacher/MODEL-HASH: the model's name in letters that a path can hold, and a hash of the identity's.
[[nodiscard]] std::filesystem::path answers_folder(const std::filesystem::path& output,
                                                   const Identity& identity);

/// Leaves FOLDER/about.json, which says whose answers these are. Error io.
void write_about(const std::filesystem::path& folder, const Identity& identity);

/// The one whose answers `output` holds and whose model, or name, is `model`; with an empty `model` the only
/// one there is. Error usage, naming those that are there: none, or more than one. Error data: an about.json
/// that says something else. Error io.
[[nodiscard]] Identity find_cached(const std::filesystem::path& output, const std::string& model);

}  // namespace incipit::interpret
