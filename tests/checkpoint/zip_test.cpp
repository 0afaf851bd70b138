#include "checkpoint/zip.hpp"

#include <algorithm>

#include "../support.hpp"
#include "torch_writer.hpp"

namespace incipit::checkpoint {
namespace {

std::map<std::string, ZipEntry, std::less<>> index_of(const std::string& file) {
  const ReadAt read = [&](uint64_t offset, std::span<std::byte> out, const std::string&) {
    ASSERT_LE(offset + out.size(), file.size());
    std::copy_n(reinterpret_cast<const std::byte*>(file.data()) + offset, out.size(), out.begin());
  };
  return read_zip_index(read, file.size(), "w.bin");
}

void refuses(const std::string& file, const std::vector<std::string>& parts) {
  test::expect_error(Exit::data, parts, [&] { (void)index_of(file); });
}

std::string replaced(std::string file, const std::string& what, const std::string& by,
                     std::size_t shift = 0) {
  const std::size_t at = file.rfind(what);
  EXPECT_NE(at, std::string::npos);
  return file.replace(at + shift, by.size(), by);
}

const std::vector<ZipMember> two{{"a/one", "first", 0, 0}, {"a/two", "second one", 0, 0}};

TEST(Zip, FindsMembers) {
  for (const bool wide : {false, true}) {
    const std::string file = zip_file(two, wide);
    const auto index = index_of(file);
    ASSERT_EQ(index.size(), 2u);
    for (const ZipMember& member : two) {
      const ZipEntry& entry = index.at(member.name);
      EXPECT_EQ(file.substr(entry.offset, entry.bytes), member.bytes);
      EXPECT_EQ(entry.method, 0);
      EXPECT_EQ(entry.offset % 64, 0u);
    }
  }
  EXPECT_TRUE(index_of(zip_file({})).empty());
}

TEST(Zip, FindsTheEndBehindAComment) {
  std::string file = zip_file(two);
  file.replace(file.size() - 2, 2, le<uint16_t>(7));
  // The comment holds the signature itself.
  EXPECT_EQ(index_of(file + "PK\x05\x06...").size(), 2u);
}

TEST(Zip, SaysWhatIsCompressed) {
  EXPECT_EQ(index_of(zip_file({{"a", "xyz", 8, 0}})).at("a").method, 8);
}

TEST(Zip, RefusesNonsense) {
  const std::string file = zip_file(two), wide = zip_file(two, true);
  refuses("", {"no ZIP end record", "truncated"});
  for (std::size_t size = 0; size < file.size(); ++size) refuses(file.substr(0, size), {"w.bin"});
  for (std::size_t size = 0; size < wide.size(); ++size) refuses(wide.substr(0, size), {"w.bin"});
  refuses(zip_file({two[0], two[0]}), {"'a/one' is there twice"});
  refuses(zip_file({{"a", "x", 0, 1}}), {"'a' is encrypted"});
  // Fields of the last directory entry, by their place after its signature.
  const std::string central = "PK\x01\x02";
  refuses(replaced(file, central, le<uint32_t>(0)), {"damaged"});
  refuses(replaced(file, central, le<uint32_t>(1U << 30U), 42), {"header", "a file of"});
  refuses(replaced(file, central, le<uint32_t>(0), 42), {"overlap"});
  refuses(replaced(file, central, le<uint32_t>(1000), 20), {"reaches into the directory"});
  refuses(replaced(file, central, le<uint32_t>(3), 20), {"two sizes, 3 and 10"});
  refuses(replaced(file, central, le<uint32_t>(7), 42), {"no header at byte 7"});
  const std::string end = "PK\x05\x06";
  refuses(replaced(file, end, le<uint16_t>(9), 8), {"split"});
  refuses(replaced(file, end, le<uint32_t>(1U << 30U), 12), {"claims"});
  refuses(replaced(file, end, le<uint32_t>(1U << 30U), 16), {"the ZIP directory", "a file of"});
  refuses(replaced(wide, "PK\x06\x07", le<uint64_t>(uint64_t{1} << 60U), 8), {"ZIP64 end record"});
  refuses(replaced(wide, "PK\x06\x07", "xxxx"), {"ZIP64 locator"});
  refuses(replaced(wide, "PK\x06\x06", "xxxx"), {"ZIP64 end record is missing"});
}

}  // namespace
}  // namespace incipit::checkpoint
