#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "interpret/language_model.hpp"
#include "interpret/teacher.hpp"

namespace incipit::interpret {

/// What a teacher that reads is asked, from two files that a user can replace. A file holds what the model
/// is told beforehand, a line `---`, and the question; words in braces are filled in.
class Prompts {
 public:
  /// Reads FOLDER/label.txt, with {positives} and {negatives}, and FOLDER/judge.txt, with {label} and {text};
  /// `bundled` for the program's own. Error io: a file cannot be read. Error data: no line `---`, or a
  /// placeholder that is missing or unknown.
  explicit Prompts(const std::filesystem::path& folder);

  [[nodiscard]] Prompt label(const Brief& brief) const;
  [[nodiscard]] Prompt judge(const std::string& label, const std::string& text) const;

 private:
  Prompt label_, judge_;
};

/// What `interpret.prompts` says instead of a folder.
inline constexpr const char* bundled = "bundled";

/// A file of prompts: where it lies, and what it says.
struct PromptFile {
  std::string where;
  std::string text;
};

/// label.txt and judge.txt of `folder`, or of `bundled`. Error io.
[[nodiscard]] std::array<PromptFile, 2> prompt_files(const std::filesystem::path& folder);

/// neox.txt likewise: what stands around a question to an instruction model that knows no roles. Error io.
[[nodiscard]] PromptFile frame_file(const std::filesystem::path& folder);

/// A template with its placeholders filled in. A placeholder is a word of a–z in braces that `values` has;
/// all else stays as it stands, and so do the values.
[[nodiscard]] std::string filled(std::string_view text, const std::map<std::string, std::string>& values);

/// A text on one line, runs of white space as one blank, of at most `characters` characters: of a longer one
/// the end behind "…", since the vector that a latent fires on is the last token's.
[[nodiscard]] std::string shown_text(std::string_view text, std::size_t characters);

}  // namespace incipit::interpret
