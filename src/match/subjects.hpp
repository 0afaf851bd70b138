#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace incipit::match {

/// One subject of inputs/subjects.json.
struct Subject {
  std::string name;
  std::vector<std::string> phrases;  ///< at least one
  bool read = true;                  ///< whether the family was trained on the subject's texts
};

/// inputs/subjects.json: {"subjects": {"biology": {"phrases": ["…"], "read": true}, …}, "decoys": ["…"]}.
struct Subjects {
  std::vector<Subject> all;         ///< those of the probes, in the probes' order
  std::vector<std::string> decoys;  ///< phrases of no subject
};

/// Reads the subjects that the probes have, in the order of `wanted`; others in the file are let be.
/// Error io when the file cannot be read; Error data when it is not as above: broken JSON (with line), a key
/// that is not known, no phrases, an empty phrase, or subjects of the probes that have no entry (all named).
Subjects load_subjects(const std::filesystem::path& path, std::span<const std::string> wanted);

}  // namespace incipit::match
