#pragma once

#include <filesystem>
#include <string>

namespace incipit::corpus {

/// A file as it lies there, and what it says.
struct TextFile {
  std::string sha256;  ///< of the bytes as they lie there
  std::string text;    ///< unpacked when the bytes are gzip's, without a byte order mark
};

/// Error io when it cannot be read, data when its gzip stream is damaged or cut off.
[[nodiscard]] TextFile read_text_file(const std::filesystem::path& path);

}  // namespace incipit::corpus
