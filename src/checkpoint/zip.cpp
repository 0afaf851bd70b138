#include "checkpoint/zip.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "error.hpp"
#include "refuse.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

// Signatures and the sizes of the records' fixed parts.
constexpr uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50;
constexpr uint32_t end_signature = 0x06054b50;
constexpr uint32_t end64_signature = 0x06064b50, locator64_signature = 0x07064b50;
constexpr std::size_t local_bytes = 30, end_bytes = 22, end64_bytes = 56, locator64_bytes = 20;
constexpr std::size_t longest_comment = 0xffff;
constexpr uint16_t extra64 = 1;
constexpr uint32_t elsewhere = 0xffffffff;  // the 64-bit field of the extra part counts
/// Names and headers of some hundred thousand members.
constexpr uint64_t largest_directory = uint64_t{64} << 20U;

/// Little-endian fields of a piece of the file, one after the other.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const fs::path& path) : bytes_(bytes), path_(path) {}

  template <class T>
  T next() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size()) refuse(path_, "its ZIP directory is cut off: truncated? Copy the file again");
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
  const fs::path& path_;
};

struct Archive {
  const ReadAt& read;
  uint64_t size;
  const fs::path& path;

  [[nodiscard]] std::vector<std::byte> bytes(uint64_t offset, uint64_t count, const char* what) const {
    if (offset > size || count > size - offset) {
      refuse(path, std::string(what) + " would lie at bytes " + std::to_string(offset) + " to " +
                       std::to_string(offset + count) + " of a file of " + std::to_string(size));
    }
    std::vector<std::byte> bytes(count);
    read(offset, bytes, what);
    return bytes;
  }
};

struct Directory {
  uint64_t offset = 0, bytes = 0, members = 0;
};

/// The end record of archives beyond 4 GB, of which a locator stands before the ordinary end record.
Directory read_end64(const Archive& archive, uint64_t end_offset) {
  if (end_offset < locator64_bytes) refuse(archive.path, "its ZIP64 locator is missing");
  const auto locator = archive.bytes(end_offset - locator64_bytes, locator64_bytes, "the ZIP64 locator");
  Fields where(locator, archive.path);
  if (where.next<uint32_t>() != locator64_signature) refuse(archive.path, "its ZIP64 locator is missing");
  where.next<uint32_t>();  // disk
  const auto record = archive.bytes(where.next<uint64_t>(), end64_bytes, "the ZIP64 end record");
  Fields fields(record, archive.path);
  if (fields.next<uint32_t>() != end64_signature) refuse(archive.path, "its ZIP64 end record is missing");
  fields.take(8 + 2 + 2 + 4 + 4);  // size of the record, versions, disks
  Directory directory;
  const auto on_this_disk = fields.next<uint64_t>();
  directory.members = fields.next<uint64_t>();
  directory.bytes = fields.next<uint64_t>();
  directory.offset = fields.next<uint64_t>();
  if (on_this_disk != directory.members) refuse(archive.path, "a ZIP archive split over several files");
  return directory;
}

Directory read_end(const Archive& archive) {
  const uint64_t there = std::min<uint64_t>(archive.size, end_bytes + longest_comment);
  const uint64_t start = archive.size - there;
  const auto tail = archive.bytes(start, there, "the ZIP end record");
  for (uint64_t at = there < end_bytes ? 0 : there - end_bytes + 1; at-- > 0;) {
    const auto rest = std::span(tail).subspan(at);
    Fields fields(rest, archive.path);
    if (fields.next<uint32_t>() != end_signature) continue;
    fields.take(2 + 2);  // disks
    const auto on_this_disk = fields.next<uint16_t>();
    const auto members = fields.next<uint16_t>();
    const auto bytes = fields.next<uint32_t>();
    const auto offset = fields.next<uint32_t>();
    // The same four bytes in a comment, or in a member of an archive that is cut off, end elsewhere.
    if (at + end_bytes + fields.next<uint16_t>() != there) continue;
    if (members == 0xffff || bytes == elsewhere || offset == elsewhere)
      return read_end64(archive, start + at);
    if (on_this_disk != members) refuse(archive.path, "a ZIP archive split over several files");
    return {offset, bytes, members};
  }
  refuse(archive.path, "no ZIP end record, as every file of torch.save has: truncated? Copy the file again");
}

/// What the directory says of one member; `local` is the place of its local header.
struct Member {
  std::string name;
  uint16_t flags = 0, method = 0;
  uint64_t bytes = 0, unpacked = 0, local = 0;
};

/// Sizes and offset that do not fit into 32 bits stand in the extra part, in this order.
void read_extra64(Fields extra, Member& member, const fs::path& path) {
  while (!extra.empty()) {
    const auto id = extra.next<uint16_t>();
    Fields body(extra.take(extra.next<uint16_t>()), path);
    if (id != extra64) continue;
    for (uint64_t* field : {&member.unpacked, &member.bytes, &member.local})
      if (*field == elsewhere) *field = body.next<uint64_t>();
  }
}

Member read_member(Fields& fields, const fs::path& path) {
  if (fields.next<uint32_t>() != central_signature) refuse(path, "its ZIP directory is damaged");
  Member member;
  fields.take(2 + 2);  // versions
  member.flags = fields.next<uint16_t>();
  member.method = fields.next<uint16_t>();
  fields.take(4 + 4);  // time, checksum
  member.bytes = fields.next<uint32_t>();
  member.unpacked = fields.next<uint32_t>();
  const auto name_bytes = fields.next<uint16_t>();
  const auto extra_bytes = fields.next<uint16_t>();
  const auto comment_bytes = fields.next<uint16_t>();
  fields.take(2 + 2 + 4);  // disk, attributes
  member.local = fields.next<uint32_t>();
  const auto name = fields.take(name_bytes);
  member.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  read_extra64(Fields(fields.take(extra_bytes), path), member, path);
  fields.take(comment_bytes);
  return member;
}

/// The local header repeats name and extra part, the latter with another length: torch pads it to align data.
ZipEntry locate(const Archive& archive, const Directory& directory, const Member& member) {
  const auto header = archive.bytes(member.local, local_bytes, "a ZIP member's header");
  Fields fields(header, archive.path);
  if (fields.next<uint32_t>() != local_signature) {
    refuse(archive.path,
           "ZIP member '" + member.name + "': no header at byte " + std::to_string(member.local));
  }
  fields.take(local_bytes - 4 - 2 - 2);
  const uint64_t name_bytes = fields.next<uint16_t>(), extra_bytes = fields.next<uint16_t>();
  const ZipEntry entry{member.local + local_bytes + name_bytes + extra_bytes, member.bytes, member.method};
  if (entry.offset > directory.offset || entry.bytes > directory.offset - entry.offset) {
    refuse(archive.path, "ZIP member '" + member.name + "' of " + std::to_string(entry.bytes) +
                             " bytes reaches into the directory");
  }
  if (entry.method == 0 && member.bytes != member.unpacked) {
    refuse(archive.path, "ZIP member '" + member.name + "' has two sizes, " + std::to_string(member.bytes) +
                             " and " + std::to_string(member.unpacked));
  }
  return entry;
}

void check_overlap(const std::map<std::string, ZipEntry, std::less<>>& entries, const fs::path& path) {
  std::vector<std::pair<uint64_t, const std::string*>> starts;
  for (const auto& [name, entry] : entries) starts.emplace_back(entry.offset, &name);
  std::sort(starts.begin(), starts.end());
  for (std::size_t i = 1; i < starts.size(); ++i) {
    const std::string& before = *starts[i - 1].second;
    if (starts[i - 1].first + entries.at(before).bytes > starts[i].first)
      refuse(path, "ZIP members '" + before + "' and '" + *starts[i].second + "' overlap");
  }
}

}  // namespace

std::map<std::string, ZipEntry, std::less<>> read_zip_index(const ReadAt& read, uint64_t file_size,
                                                            const fs::path& path) {
  const Archive archive{read, file_size, path};
  const Directory directory = read_end(archive);
  if (directory.bytes > largest_directory) {
    refuse(path, "its ZIP directory claims " + std::to_string(directory.bytes) + " bytes, more than " +
                     std::to_string(largest_directory));
  }
  const auto bytes = archive.bytes(directory.offset, directory.bytes, "the ZIP directory");
  std::map<std::string, ZipEntry, std::less<>> entries;
  Fields fields(bytes, path);
  for (uint64_t i = 0; i < directory.members; ++i) {
    const Member member = read_member(fields, path);
    if ((member.flags & 1U) != 0) refuse(path, "ZIP member '" + member.name + "' is encrypted");
    if (!entries.emplace(member.name, locate(archive, directory, member)).second)
      refuse(path, "ZIP member '" + member.name + "' is there twice");
  }
  check_overlap(entries, path);
  return entries;
}

}  // namespace incipit::checkpoint
