#include "corpus/tokenizer.hpp"
#include "fuzz.hpp"

/// A tokenizer.json, and a text for what it makes of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const incipit::fuzz::MemoryFile file(incipit::fuzz::text_of(data, size));
  incipit::fuzz::expect_answer_or_blame([&] {
    const auto tokenizer = incipit::corpus::Tokenizer::load(file.path());
    for (const auto id : tokenizer.encode("Here begins\n  the caf\xc3\xa9, 12 <|endoftext|>"))
      (void)tokenizer.token(id);
  });
  return 0;
}
