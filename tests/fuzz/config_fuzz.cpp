#include "checkpoint/config.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const incipit::fuzz::MemoryFile file(incipit::fuzz::text_of(data, size));
  incipit::fuzz::expect_answer_or_blame([&] {
    const auto config = incipit::checkpoint::read_config(file.path());
    if (config.params() <= 0 || config.rotary_dims() > config.head_size()) std::abort();
  });
  return 0;
}
