#include <unistd.h>

#include <fstream>

#include "corpus/wordpiece.hpp"
#include "fuzz.hpp"

namespace {

/// A folder of this process, with the config that a vocab.txt needs beside it.
const std::filesystem::path& folder() {
  static const auto path = [] {
    auto made = std::filesystem::temp_directory_path() / ("incipit-fuzz-" + std::to_string(getpid()));
    std::filesystem::create_directory(made);
    std::ofstream(made / "tokenizer_config.json") << R"({"tokenizer_class": "BertTokenizer"})";
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return made;
  }();
  return path;
}

}  // namespace

/// A tokenizer.json where the input begins as an object, else a vocab.txt; and a text for what it makes of
/// it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bool whole = size > 0 && data[0] == '{';
  const auto file = folder() / (whole ? "tokenizer.json" : "vocab.txt");
  std::ofstream(file, std::ios::binary) << incipit::fuzz::text_of(data, size);
  incipit::fuzz::expect_answer_or_blame([] {
    const auto tokenizer = incipit::corpus::WordPiece::load(folder());
    (void)tokenizer.encode("Here [CLS] begins\n the caf\xc3\xa9, \xe4\xb8\xad 12 [MASK]e\xcc\x81gad", 12);
  });
  std::filesystem::remove(file);
  return 0;
}
