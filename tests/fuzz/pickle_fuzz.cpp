#include "checkpoint/pickle.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  incipit::fuzz::expect_answer_or_blame(
      [&] { (void)incipit::checkpoint::read_state_dict(incipit::fuzz::text_of(data, size), "fuzz"); });
  return 0;
}
