#pragma once

#include <filesystem>
#include <string>

namespace incipit::match {

/// The deck's section [match].
struct MatchOptions {
  std::string encoder = "lexical";                   ///< lexical, or a sentence encoder's folder
  std::filesystem::path subjects = "subjects.json";  ///< phrases of each subject, and decoys
  std::string phrases = "max";                       ///< a label is as near to a subject as to the nearest
                                                     ///< of its phrases (max) or to their mean
  std::string tau = "auto";                          ///< a cosine in (-1, 1], or auto
};

}  // namespace incipit::match
