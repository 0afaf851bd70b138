#include "corpus/csv.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  incipit::fuzz::expect_answer_or_blame(
      [&] { (void)incipit::corpus::parse_csv(incipit::fuzz::text_of(data, size), "fuzz"); });
  return 0;
}
