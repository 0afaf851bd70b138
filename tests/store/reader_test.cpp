#include "store/reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <vector>

#include "fixture.hpp"
#include "store/files.hpp"
#include "store/writer.hpp"

namespace incipit::store {
namespace {

class ReaderTest : public FolderTest {
 protected:
  ReaderTest() : path_(folder_ / "x.h5") {
    Writer writer(world_, path_, example_header());
    std::vector<float> values(60);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    writer.write<float>("g/x", {3, 4, 5}, values, {"1", "x"});
    writer.write<double>("d", {2}, std::vector<double>{0.5, 1e300}, {"1", "d"});
    writer.write<std::int32_t>("i", {2}, std::vector<std::int32_t>{-1, 7}, {"1", "i"});
    writer.write<std::int64_t>("long", {1}, std::vector<std::int64_t>{std::int64_t{1} << 40}, {"1", "l"});
    writer.strings("s", {1}, {"text"}, {"1", "s"});
    writer.commit();
  }
  std::filesystem::path path_;
};

TEST_F(ReaderTest, ReadsHyperslabs) {
  const Reader reader(path_);
  std::vector<float> values(2 * 1 * 3);
  reader.read_slab<float>("g/x", {1, 2, 1}, {2, 1, 3}, values);
  EXPECT_EQ(values, (std::vector<float>{31, 32, 33, 51, 52, 53}));
  std::vector<float> none;
  reader.read_slab<float>("g/x", {3, 0, 0}, {0, 4, 5}, none);
  expect_error(Exit::data, {"/g/x", "[3, 0, 0]", "[3, 4, 5]"}, [&] {
    reader.read_slab<float>("g/x", {3, 0, 0}, {1, 1, 6}, values);
  });
  expect_error(Exit::defect, {"room for 6"}, [&] {
    reader.read_slab<float>("g/x", {0, 0, 0}, {1, 1, 5}, values);
  });
}

TEST_F(ReaderTest, ConvertsWhatLosesNothingAndRefusesTheRest) {
  const Reader reader(path_);
  EXPECT_EQ(reader.read<std::int64_t>("i"), (std::vector<std::int64_t>{-1, 7}));
  EXPECT_EQ(reader.read<double>("g/x")[59], 59.0);
  expect_error(Exit::data, {"/long", "expected int32, found int64"},
               [&] { static_cast<void>(reader.read<std::int32_t>("long")); });
  expect_error(Exit::data, {"/d", "expected int64, found float64"},
               [&] { static_cast<void>(reader.read<std::int64_t>("d")); });
  expect_error(Exit::data, {"/i", "expected uint64, found int32"},
               [&] { static_cast<void>(reader.read<std::uint64_t>("i")); });
  expect_error(Exit::data, {"/i", "expected float32, found int32"},
               [&] { static_cast<void>(reader.read<float>("i")); });
  expect_error(Exit::data, {"/s", "expected float32, found string"},
               [&] { static_cast<void>(reader.read<float>("s")); });
  expect_error(Exit::data, {"/i", "strings"}, [&] { static_cast<void>(reader.strings("i")); });
}

TEST_F(ReaderTest, NamesWhatIsMissingOrMisshapen) {
  const Reader reader(path_);
  expect_error(Exit::data, {path_.string(), "/g/y", "missing"},
               [&] { static_cast<void>(reader.shape("g/y")); });
  expect_error(Exit::data, {"/no/g", "missing"}, [&] { static_cast<void>(reader.shape("no/g")); });
  expect_error(Exit::data, {"/g", "group"}, [&] { static_cast<void>(reader.shape("g")); });
  expect_error(Exit::data, {"/g/x", "expected shape [3, 4], found [3, 4, 5]"}, [&] {
    static_cast<void>(reader.read<float>("g/x", {3, 4}));
  });
  expect_error(Exit::data, {"/g", "attribute step"},
               [&] { static_cast<void>(reader.attribute_number("g", "step")); });
  EXPECT_FALSE(reader.has("g/y"));
  EXPECT_TRUE(reader.has("g/x"));
  EXPECT_TRUE(reader.is_group("g"));
  EXPECT_FALSE(reader.is_group("g/x"));
  EXPECT_EQ(reader.type("g/x"), "float32");
  EXPECT_EQ(reader.type("s"), "string");
}

TEST_F(ReaderTest, RefusesAnotherKindOrVersion) {
  expect_error(Exit::data, {path_.string(), "expected format incipit/sae, found incipit/activations"},
               [&] { const Reader reader(path_, "sae"); });
  // The version "1.0" stands in the file once; a later major version is refused, a later minor is not.
  std::string bytes = read_text(path_);
  const std::size_t at = bytes.find("1.0", bytes.find("format_version"));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 2] = '7';
  write_text_atomic(folder_ / "minor.h5", bytes);
  bytes[at] = '2';
  write_text_atomic(folder_ / "major.h5", bytes);
  // The object header's checksum guards the attribute, so a changed file is damaged in any case.
  expect_error(Exit::data, {"minor.h5"}, [&] { const Reader reader(folder_ / "minor.h5"); });
  expect_error(Exit::data, {"major.h5"}, [&] { const Reader reader(folder_ / "major.h5"); });
}

TEST_F(ReaderTest, RefusesWhatIsNoFileOfOurs) {
  expect_error(Exit::io, {"absent.h5", "No such file"}, [&] { const Reader reader(folder_ / "absent.h5"); });
  write_text_atomic(folder_ / "text.h5", "not HDF5 at all");
  expect_error(Exit::data, {"text.h5", "not an HDF5 file"},
               [&] { const Reader reader(folder_ / "text.h5"); });
  write_text_atomic(folder_ / "empty.h5", "");
  expect_error(Exit::data, {"empty.h5", "not an HDF5 file"},
               [&] { const Reader reader(folder_ / "empty.h5"); });
}

TEST_F(ReaderTest, AFileCutShortAnywhereIsAnErrorNeverACrash) {
  const std::string whole = read_text(path_);
  int refused = 0;
  for (std::size_t length = 0; length < whole.size(); length += whole.size() / 97 + 1) {
    const auto cut = folder_ / "cut.h5";
    write_text_atomic(cut, whole.substr(0, length));
    try {
      const Reader reader(cut);
      static_cast<void>(reader.read<float>("g/x"));
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.code(), Exit::data);
      EXPECT_NE(std::string(error.what()).find("cut.h5"), std::string::npos);
    }
  }
  EXPECT_GE(refused, 97);
}

}  // namespace
}  // namespace incipit::store
