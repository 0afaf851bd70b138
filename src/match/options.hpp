#pragma once

#include <filesystem>
#include <string>

namespace incipit::match {

/// The deck's section [match].
struct MatchOptions {
  std::string encoder = "lexical";                   ///< lexical, or a sentence encoder's folder
  std::filesystem::path subjects = "subjects.json";  ///< phrases of each subject, and decoys
  std::string tau = "auto";                          ///< a cosine in (-1, 1], or auto
};

}  // namespace incipit::match
