#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "checkpoint/read_at.hpp"

namespace incipit::checkpoint {

/// One member of a ZIP archive, with the place of its bytes in the file.
struct ZipEntry {
  uint64_t offset = 0;  ///< of the member's first byte, from the start of the file
  uint64_t bytes = 0;   ///< as they lie there
  uint16_t method = 0;  ///< 0: stored as they are; anything else is some compression
};

/// The members of a ZIP or ZIP64 archive by name (APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16), from its
/// central directory and the local headers; no member is read. Checked: every size and offset lies in the
/// file, members do not overlap, no name twice, nothing encrypted or split over disks. Error data; what
/// `read` throws.
[[nodiscard]] std::map<std::string, ZipEntry, std::less<>> read_zip_index(const ReadAt& read,
                                                                          uint64_t file_size,
                                                                          const std::filesystem::path& path);

}  // namespace incipit::checkpoint
