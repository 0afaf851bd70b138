// Token ids of many texts, for tests/reference/tokenizer_golden.py: encode_texts TOKENIZER TEXTS IDS
// TEXTS: for each text its length in bytes (int32) and its bytes. IDS: for each text the number of its ids
// (int32) and the ids (int32); or -1 and, as in TEXTS, what the error said.
#include <fstream>
#include <iostream>

#include "corpus/tokenizer.hpp"
#include "error.hpp"

namespace {

void put(std::ostream& out, std::int32_t value) {
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
}

void encode(const incipit::corpus::Tokenizer& tokenizer, const std::string& text, std::ostream& out) {
  try {
    const std::vector<std::int32_t> ids = tokenizer.encode(text);
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
  if (argc != 4) return 64;
  const auto tokenizer = incipit::corpus::Tokenizer::load(argv[1]);
  std::ifstream texts(argv[2], std::ios::binary);
  std::ofstream ids(argv[3], std::ios::binary);
  std::int32_t size = 0;
  std::string text;
  while (texts.read(reinterpret_cast<char*>(&size), sizeof size)) {
    text.resize(static_cast<std::size_t>(size));
    texts.read(text.data(), size);
    encode(tokenizer, text, ids);
  }
  return ids.flush() ? 0 : 74;
} catch (const std::exception& error) {
  std::cerr << "encode_texts: " << error.what() << "\n";
  return 65;
}
