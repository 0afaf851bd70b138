#include "checkpoint/safetensors.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file = incipit::fuzz::text_of(data, size);
  incipit::fuzz::expect_answer_or_blame([&] {
    const auto header = incipit::checkpoint::safetensors_header_size(file.substr(0, 8), size, "fuzz");
    for (const auto& tensor :
         incipit::checkpoint::parse_safetensors_header(file.substr(8, header), size, "fuzz"))
      if (tensor.offset > size || tensor.bytes > size - tensor.offset) std::abort();
  });
  return 0;
}
