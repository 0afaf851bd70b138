#include "corpus/tokenizer.hpp"
#include "fuzz.hpp"

/// Texts for the bundled tokenizer: every id it gives has a token.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer = incipit::corpus::Tokenizer::load(std::filesystem::path(INCIPIT_SOURCE_DIR) /
                                                                 "inputs/nano/tokenizer.json");
  incipit::fuzz::expect_answer_or_blame([&] {
    for (const auto id : tokenizer.encode(incipit::fuzz::text_of(data, size))) (void)tokenizer.token(id);
  });
  return 0;
}
