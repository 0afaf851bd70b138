#include "corpus/text_file.hpp"

#include <zlib.h>

#include "../support.hpp"
#include "gzip.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

class TextFileTest : public test::FolderTest {};

TEST_F(TextFileTest, ReadsPlainText) {
  const TextFile file = read_text_file(write("a.txt", "\xef\xbb\xbfhello\n"));
  EXPECT_EQ(file.text, "hello\n");
  EXPECT_EQ(file.sha256, store::sha256("\xef\xbb\xbfhello\n"));
  EXPECT_EQ(read_text_file(write("empty", "")).text, "");
  test::expect_error(Exit::io, {"nowhere"}, [&] { (void)read_text_file(folder_ / "nowhere"); });
}

TEST_F(TextFileTest, UnpacksGzip) {
  std::string text;
  for (int i = 0; i < 300000; ++i) text += std::to_string(i) + "\n";
  const std::string packed = gzip(text);
  const TextFile file = read_text_file(write("a.gz", packed));
  EXPECT_TRUE(file.text == text);
  EXPECT_EQ(file.sha256, store::sha256(packed));
  EXPECT_EQ(read_text_file(write("two.gz", gzip("one ") + gzip("two"))).text, "one two");
  EXPECT_EQ(read_text_file(write("none.gz", gzip(""))).text, "");
}

TEST_F(TextFileTest, NoticesDamage) {
  const std::string packed = gzip("some text that is long enough to be cut");
  for (std::size_t size = 2; size < packed.size(); ++size) {
    const auto path = write("cut.gz", packed.substr(0, size));
    test::expect_error(Exit::data, {"cut.gz", "cut off"}, [&] { (void)read_text_file(path); });
  }
  std::string wrong = packed;
  wrong[wrong.size() - 6] = static_cast<char>(wrong[wrong.size() - 6] ^ 1);  // the check sum
  const auto path = write("wrong.gz", wrong);
  test::expect_error(Exit::data, {"wrong.gz", "damaged"}, [&] { (void)read_text_file(path); });
}

}  // namespace
}  // namespace incipit::corpus
