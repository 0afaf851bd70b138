#include "deck/deck.hpp"
#include "fuzz.hpp"

/// A deck that is taken is echoed so that its echo means the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const incipit::fuzz::MemoryFile file(incipit::fuzz::text_of(data, size));
  incipit::fuzz::expect_answer_or_blame([&] {
    const auto echo = incipit::deck::resolved(incipit::deck::load(file.path(), {}));
    const incipit::fuzz::MemoryFile again(echo);
    if (incipit::deck::resolved(incipit::deck::load(again.path(), {})) != echo) std::abort();
  });
  return 0;
}
