// Token ids of many texts, for tests/reference: encode_texts TOKENIZER TEXTS IDS [MAX_LENGTH]
// TOKENIZER: a tokenizer.json of the byte-level kind, or with MAX_LENGTH the folder of a WordPiece.
// TEXTS: for each text its length in bytes (int32) and its bytes. IDS: for each text the number of its ids
// (int32) and the ids (int32); or -1 and, as in TEXTS, what the error said.
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>

#include "corpus/tokenizer.hpp"
#include "corpus/wordpiece.hpp"
#include "error.hpp"

namespace {

void put(std::ostream& out, std::int32_t value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

using Encode = std::function<std::vector<std::int32_t>(const std::string&)>;

Encode open_tokenizer(const char* path) {
  auto tokenizer = std::make_shared<incipit::corpus::Tokenizer>(incipit::corpus::Tokenizer::load(path));
  return [tokenizer](const std::string& text) { return tokenizer->encode(text); };
}

Encode open_wordpiece(const char* folder, std::int64_t max_length) {
  auto wordpiece = std::make_shared<incipit::corpus::WordPiece>(incipit::corpus::WordPiece::load(folder));
  return [=](const std::string& text) { return wordpiece->encode(text, max_length); };
}

void write_ids(const Encode& encode, const std::string& text, std::ostream& out) {
  try {
    const std::vector<std::int32_t> ids = encode(text);
    put(out, static_cast<std::int32_t>(ids.size()));
    for (const std::int32_t id : ids) put(out, id);
  } catch (const incipit::Error& error) {
    const std::string what = error.what();
    put(out, -1);
    put(out, static_cast<std::int32_t>(what.size()));
    out << what;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4 && argc != 5) return 64;
  const Encode encode = argc == 4 ? open_tokenizer(argv[1]) : open_wordpiece(argv[1], std::stoll(argv[4]));
  std::ifstream texts(argv[2], std::ios::binary);
  std::ofstream ids(argv[3], std::ios::binary);
  std::int32_t size = 0;
  std::string text;
  while (texts.read(reinterpret_cast<char*>(&size), sizeof size)) {
    text.resize(static_cast<std::size_t>(size));
    texts.read(text.data(), size);
    write_ids(encode, text, ids);
  }
  return ids.flush() ? 0 : 74;
} catch (const std::exception& error) {
  std::cerr << "encode_texts: " << error.what() << "\n";
  return 65;
}
