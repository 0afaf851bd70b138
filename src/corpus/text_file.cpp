#include "corpus/text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>

#include "error.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

/// Unpacks all members of a gzip file.
class Unpacker {
 public:
  explicit Unpacker(std::string where) : where_(std::move(where)) {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_only) != Z_OK)
      throw Error(Exit::machine, where_ + ": no memory to unpack it");
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;
  ~Unpacker() { inflateEnd(&stream_); }

  std::string unpack(std::string_view packed) {
    std::string text;
    int result = Z_OK;
    while (true) {
      feed(packed);
      result = step(text);
      if (result == Z_STREAM_END) {
        if (packed.empty() && stream_.avail_in == 0) return text;
        inflateReset(&stream_);
      } else if (result == Z_BUF_ERROR && packed.empty() && stream_.avail_in == 0) {
        throw Error(Exit::data, where_ + ": the gzip stream is cut off; copy the file again");
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw Error(Exit::data, where_ + ": the gzip stream is damaged at byte " +
                                    std::to_string(stream_.total_in) + "; copy the file again");
      }
    }
  }

 private:
  void feed(std::string_view& packed) {
    if (stream_.avail_in != 0) return;
    const std::size_t here = std::min<std::size_t>(packed.size(), std::numeric_limits<uInt>::max());
    // zlib's interface takes no pointer to const, but does not write through it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(here);
    packed.remove_prefix(here);
  }

  int step(std::string& text) {
    constexpr std::size_t block = 1 << 20;
    const std::size_t before = text.size();
    text.resize(before + block);
    stream_.next_out = reinterpret_cast<Bytef*>(text.data() + before);
    stream_.avail_out = block;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    text.resize(before + block - stream_.avail_out);
    return result;
  }

  std::string where_;
  z_stream stream_{};
};

}  // namespace

TextFile read_text_file(const std::filesystem::path& path) {
  constexpr std::string_view gzip_mark = "\x1f\x8b", byte_order_mark = "\xef\xbb\xbf";
  TextFile file;
  file.text = store::read_text(path);
  file.sha256 = store::sha256(file.text);
  if (file.text.starts_with(gzip_mark)) file.text = Unpacker(path.string()).unpack(file.text);
  if (file.text.starts_with(byte_order_mark)) file.text.erase(0, byte_order_mark.size());
  return file;
}

}  // namespace incipit::corpus
